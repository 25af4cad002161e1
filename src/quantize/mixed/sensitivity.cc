// SPDX-License-Identifier: Apache-2.0
#include "quantize/mixed/sensitivity.h"

#include "base/error.h"

namespace halftone {

Status measure_candidates(std::vector<CandidateTensor>& tensors, CandidatePacker& packer, TrialModel& model,
                          bool keep_panels, Progress& progress) {
  int64_t trials = 0;
  for (const CandidateTensor& tensor : tensors) trials += static_cast<int64_t>(tensor.candidates.size());
  progress.begin("sensitivity", trials, "trials");
  for (CandidateTensor& tensor : tensors) {
    HALFTONE_TRY(packer.pack(tensor));
    for (size_t i = 0; i < tensor.candidates.size(); ++i) {
      const Trial trial = tensor.trial(i);
      HALFTONE_ASSIGN(tensor.candidates[i].kl, model.kl({&trial, 1}));
      progress.advance(1);
      if (!keep_panels) tensor.candidates[i].panels = {};
    }
  }
  progress.end();
  return {};
}

Result<Sensitivity> measure_sensitivity(const Graph& graph, const ModelFile& source,
                                        std::span<const Layout* const> layouts, const Sequences& calibration,
                                        const SensitivityOptions& options, ThreadPool& pool, Progress& progress) {
  if (find_method(options.method) == nullptr)
    return invalid_input("[mixed] expected a method, got '{}'", options.method);
  HALFTONE_ASSIGN(SplitTexts texts, split_texts(calibration, options.tokens));
  HALFTONE_ASSIGN(std::vector<CandidateTensor> tensors, list_candidates(graph, source, layouts, options.method));
  HALFTONE_ASSIGN(const auto model, TrialModel::create(graph, source, std::move(texts.judge), pool));
  CandidatePacker packer(graph, source, texts.learn, pool);
  HALFTONE_TRY(measure_candidates(tensors, packer, *model, false, progress));
  Sensitivity result;
  result.tokens = model->tokens();
  for (const CandidateTensor& tensor : tensors) {
    const Assignment& first = tensor.candidates[0].assignment;
    TensorSensitivity one{first.source->name, first.op, first.source->elements(), {}};
    for (const Candidate& candidate : tensor.candidates)
      one.layouts.push_back(
          {candidate.assignment.layout, std::string(candidate.method()), candidate.bytes(), candidate.kl});
    result.tensors.push_back(std::move(one));
  }
  return result;
}

}  // namespace halftone
