// SPDX-License-Identifier: Apache-2.0
// Makes one point's artifact and compares it with the float model.
#pragma once

#include <memory>
#include <string>

#include "base/thread_pool.h"
#include "models/language_model.h"
#include "ship/sweep/sweep.h"
#include "validate/model_scorer.h"
#include "validate/score.h"

namespace halftone {

class SweepJudge {
 public:
  // Loads the model, reads the calibration and what is judged on, and refuses text that is in both.
  static Result<std::unique_ptr<SweepJudge>> create(const SweepOptions& options, Progress& progress);

  // Of everything that the point's figures follow from.
  std::string key_of(const GridPoint& point) const;
  // REQUIRES: a calibration where the point uses data. The artifact is written to `artifact` and stays there.
  Result<SweepPoint> measure(const GridPoint& point, const std::filesystem::path& artifact);
  // Of all tensors, every matrix stored in `layout`.
  Result<int64_t> bytes_in(const Layout& layout) const;

  bool has_calibration() const { return calibration_ != nullptr; }
  const Sequences& calibration() const { return *calibration_; }
  const LanguageModel& model() const { return *model_; }
  const SweepJudged& judged() const { return judged_; }
  const nlohmann::ordered_json& calibration_json() const { return calibration_json_; }
  const std::string& source_sha256() const { return source_sha256_; }
  const std::string& calibration_sha256() const { return calibration_sha256_; }
  // The windows that are judged, as sequences.
  const Sequences& windows() const { return windows_; }
  ThreadPool& pool() { return *pool_; }

 private:
  SweepJudge(const SweepOptions& options, Progress& progress) : options_(options), progress_(progress) {}
  Status read_calibration();
  Status read_suites();
  Status use_held_out();
  void add_prepared(PreparedSuite prepared);
  Status check_leakage() const;

  const SweepOptions& options_;
  Progress& progress_;
  std::unique_ptr<ThreadPool> pool_;
  std::shared_ptr<const LanguageModel> model_;
  std::unique_ptr<ModelScorer> reference_;
  std::unique_ptr<Sequences> calibration_;
  nlohmann::ordered_json calibration_json_ = nullptr;
  std::vector<PreparedSuite> prepared_;
  Sequences windows_;
  SweepJudged judged_;
  std::string source_sha256_, calibration_sha256_;
};

}  // namespace halftone
