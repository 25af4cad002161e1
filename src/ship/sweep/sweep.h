// SPDX-License-Identifier: Apache-2.0
// The cliff: what every number of bits, granularity and method costs on one model, where that falls off, which tensors
// make it fall, and what moves it at equal bytes.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/progress.h"
#include "halftone/status.h"
#include "quantize/calibration/calibration.h"
#include "ship/sweep/front.h"
#include "ship/sweep/grid.h"
#include "ship/sweep/point.h"

namespace halftone {

struct SweepOptions {
  std::filesystem::path model, output;
  GridOptions grid;
  std::filesystem::path calibration;
  CalibrationOptions calibration_options;
  // Task divergence; a greedy answer is not asked for. Empty: a tenth of the calibration, which then no method sees.
  std::vector<std::string> suites;
  int64_t windows = 32;  // of each suite that says no max_samples; 0: all
  bool keep = false;     // the artifacts, in points/
  bool explain = true;   // measure causes and alternatives of the knees
  int threads = 0;
  // Called after each point, with how many of how many are done; `again` is false where an earlier run's result stands.
  std::function<void(const SweepPoint& point, size_t done, size_t total, bool again)> on_point;
};

// One tensor of a knee: the mean KL when it alone is stored so, and its share of the sum over tensors.
struct TensorCause {
  std::string name;
  double kl = 0, share = 0;
  int64_t elements = 0;
};

// What else the bytes of the point beyond a knee buy.
struct SweepAlternative {
  SweepPoint point;
  double factor = 0;  // KL of the point beyond / KL of this
};

struct KneeReport {
  std::string curve;                // "all methods", or the one method
  Knee knee;                        // indices into SweepReport::points
  std::vector<TensorCause> causes;  // of the point beyond, the largest first
  int64_t cause_tokens = 0;
  std::string cause_method, causes_missing;    // why there are none
  std::vector<SweepAlternative> alternatives;  // the least KL first
};

struct SweepJudged {
  std::string text;  // "suite eval", "a tenth of cal.txt, held out"
  int64_t windows = 0, tokens = 0;
  int64_t left_out = 0;  // held-out windows that also stand in the calibration
  std::string sha256;    // of the windows' tokens
};

struct SweepReport {
  std::string model, source_sha256, family;
  int64_t source_bytes = 0;
  nlohmann::ordered_json calibration = nullptr;
  SweepJudged judged;
  GridOptions grid;
  std::vector<LeftOut> left_out;
  std::vector<SweepPoint> points;  // as the grid orders them
  std::vector<size_t> front;       // of all points, from most bytes to fewest
  std::vector<KneeReport> knees;
  std::vector<std::string> conclusions;  // sentences
  bool complete = false;
  int64_t measured = 0, resumed = 0;
  double seconds = 0;  // of this run
};

// Writes `output`: sweep.json (docs/schema/sweep.json, always the state so far), points/NAME.json, sweep.html at the
// end, and with `keep` points/NAME.ht. Points whose inputs are the same as in an earlier run there are not measured
// again; what is interrupted loses the point it was at. Errors: an output that holds something else, a grid without
// points, a suite of another task, or one whose text is also in the calibration.
Result<SweepReport> sweep(const SweepOptions& options, Progress& progress);

// `results` of sweep.json.
nlohmann::ordered_json to_json(const SweepReport& report);

}  // namespace halftone
