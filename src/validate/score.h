// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/progress.h"
#include "halftone/status.h"
#include "validate/record.h"
#include "validate/sample_file.h"
#include "validate/scorer.h"
#include "validate/suite.h"

namespace halftone {

// One suite turned into what its task scores (tokens of the reference's tokenizer, files): what will be scored, before
// anything is.
struct PreparedSuite {
  SuiteSpec spec;
  Split split = Split::all;
  double decide_fraction = kDecideFraction;
  std::string file_sha256;
  std::vector<SampleRecord> samples;      // labels filled in, scores not; `candidate` empty
  std::vector<ChoiceItem> items;          // choices: one per sample
  std::vector<std::vector<int>> windows;  // text: one per sample, BOS included
  std::vector<std::vector<int>> answers;  // divergence, once the reference is scored: its greedy answers
  InputFormat input;                      // networks: the suite's, or the reference's own
  Shape input_shape;                      // networks: of the reference (Classifier)
  std::vector<SampleFile> files;          // networks: one per sample
  std::vector<std::string> labels;        // classify: a name per class
  int64_t originals() const;              // samples that are not shifted copies of others
  std::string split_hash() const;         // SHA-256 over suite, split and sample ids: written before the first score
};

// REQUIRES nothing scored yet. Errors: a sample longer than the context (never cut), a part of the split or a slice
// value that is left without samples, a tokenizer that does not fit the logits, a reference of the other kind.
Result<PreparedSuite> prepare_suite(const Suite& suite, Subject& reference, Split split,
                                    double decide_fraction = kDecideFraction);

// Fills the reference's part of the records, once for all candidates.
Status score_reference(PreparedSuite& prepared, Subject& reference, Progress& progress = no_progress());

// One record per sample, complete. Divergence runs the reference again, side by side with the candidate: at most
// kRowBufferBytes of logit rows exist at a time (and one row per model), whatever the vocabulary and the text; nothing
// goes to disk. The candidate must have the reference's vocabulary and give the same tokens for the same text.
inline constexpr int64_t kRowBufferBytes = 64 << 20;
Result<std::vector<SampleRecord>> score_candidate(const PreparedSuite& prepared, Subject& reference, Subject& candidate,
                                                  const std::string& name, Progress& progress = no_progress());

}  // namespace halftone
