// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "kernels/linear/linear.h"
#include "validate/scorer.h"

namespace halftone {

// A model of either kind, ready to be scored.
struct OpenSubject {
  std::unique_ptr<Subject> subject;
  int64_t bytes = 0;  // of its weights on disk
  int threads = 0;
  std::string activations;  // that run
};

// Opens a language model or a network, whichever the path holds. threads 0: all cores. A language model with NaN or
// infinity in its weights is an error; that of a network shows in its outputs.
Result<OpenSubject> open_subject(const std::filesystem::path& path, int threads, Activations activations);

}  // namespace halftone
