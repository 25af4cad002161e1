// SPDX-License-Identifier: Apache-2.0
#include "validate/subject.h"

#include "base/error.h"
#include "validate/model_scorer.h"
#include "validate/network_scorer.h"

namespace halftone {

Result<OpenSubject> open_subject(const std::filesystem::path& path, int threads, Activations activations) {
  OpenSubject open;
  if (is_network(path)) {
    HALFTONE_ASSIGN(NetworkFile file, open_network(path));
    HALFTONE_ASSIGN(auto scorer, NetworkScorer::create(std::move(file), threads, activations));
    open.bytes = scorer->file().bytes_on_disk;
    open.threads = scorer->threads();
    open.activations = name_of(scorer->activations_used());
    open.subject = std::move(scorer);
    return open;
  }
  HALFTONE_ASSIGN(auto model, load_language_model(path));
  ThreadPool pool(threads > 0 ? threads : available_cores());
  HALFTONE_TRY(check_finite_weights(*model, pool));
  HALFTONE_ASSIGN(auto scorer, ModelScorer::create(std::move(model), {threads, activations}));
  open.bytes = scorer->model().file.bytes_on_disk;
  open.threads = scorer->executor().threads();
  open.activations = scorer->executor().activations_used();
  open.subject = std::move(scorer);
  return open;
}

}  // namespace halftone
