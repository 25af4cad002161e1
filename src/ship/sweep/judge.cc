// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/judge.h"

#include <fmt/ranges.h>

#include <chrono>

#include "base/error.h"
#include "base/hash.h"
#include "base/version.h"
#include "formats/source_hash.h"
#include "quantize/assign.h"
#include "quantize/calibration/leakage.h"
#include "quantize/quantize.h"
#include "ship/sweep/held_out.h"
#include "validate/compare.h"

namespace halftone {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kSweepSuite = "sweep";  // all suites together are judged as one

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::string hash_of(const Sequences& sequences) {
  return sha256_hex(fmt::format("{}\n{}", fmt::join(sequences.begins, " "), fmt::join(sequences.tokens, " ")));
}

std::string hash_of(const ModelFile& file) {
  SourceHash hash(file.maps);
  std::string lines;
  for (const SourceFile& one : hash.finish()) lines += fmt::format("{}  {}\n", one.sha256, one.name);
  return sha256_hex(lines + file.config.dump());
}

// Greedy answers are another question than a cliff, and cost more than all else.
Result<Suite> load_divergence(const std::string& argument, int64_t windows) {
  HALFTONE_ASSIGN(Suite suite, load_suite(argument));
  if (suite.spec.task != Task::divergence)
    return invalid_input(
        "[sweep] {}: expected task divergence, which compares every point with the float model, got {}; say "
        "--suite divergence:FILE.txt, or task: divergence",
        argument, task_name(suite.spec.task));
  suite.spec.answer_tokens = 0;
  if (suite.spec.max_samples == 0) suite.spec.max_samples = windows;
  return suite;
}

// The rows and tails of a comparison as a point's figures.
void take_figures(const Comparison& comparison, SweepPoint& point) {
  for (const MetricRow& row : comparison.metrics) {
    if (row.name == "kl") {
      point.kl = row.delta;
      point.kl_interval = row.interval;
    } else if (row.name == "log_perplexity") {
      point.loss = row.delta;
      point.loss_interval = row.interval;
    } else if (row.name == "top_token_agreement") {
      point.same_top = row.delta;
      point.same_top_interval = row.interval;
    }
  }
  for (const TailRow& tail : comparison.tails) {
    if (tail.name != "kl") continue;
    point.kl_max = tail.tails.max;
    for (const Quantile& quantile : tail.tails.quantiles) {
      if (quantile.quantile == 0.99) point.kl_p99 = quantile.value;
      if (quantile.quantile == 0.999) point.kl_p999 = quantile.value;
    }
  }
}

}  // namespace

Result<std::unique_ptr<SweepJudge>> SweepJudge::create(const SweepOptions& options, Progress& progress) {
  std::unique_ptr<SweepJudge> judge(new SweepJudge(options, progress));
  HALFTONE_ASSIGN(judge->model_, load_language_model(options.model));
  judge->pool_ = std::make_unique<ThreadPool>(options.threads > 0 ? options.threads : available_cores());
  HALFTONE_TRY(check_finite_weights(*judge->model_, *judge->pool_));
  judge->source_sha256_ = hash_of(judge->model_->file);
  HALFTONE_ASSIGN(judge->reference_, ModelScorer::create(judge->model_, {options.threads, Activations::exact}));
  HALFTONE_TRY(judge->read_calibration());
  HALFTONE_TRY(options.suites.empty() ? judge->use_held_out() : judge->read_suites());
  HALFTONE_TRY(judge->check_leakage());
  if (judge->has_calibration()) judge->calibration_sha256_ = hash_of(judge->calibration());
  judge->judged_.sha256 = hash_of(judge->windows_);
  for (PreparedSuite& suite : judge->prepared_) HALFTONE_TRY(score_reference(suite, *judge->reference_, progress));
  progress.end();
  return judge;
}

Status SweepJudge::read_calibration() {
  if (options_.calibration.empty()) return {};
  HALFTONE_ASSIGN(Calibration calibration,
                  load_calibration(options_.calibration, reader_of(*model_), options_.calibration_options));
  calibration_json_ = calibration.to_json();
  calibration_ = std::make_unique<Sequences>(std::move(calibration.sequences));
  return {};
}

Status SweepJudge::read_suites() {
  for (const std::string& argument : options_.suites) {
    HALFTONE_ASSIGN(const Suite suite, load_divergence(argument, options_.windows));
    for (const PreparedSuite& other : prepared_)
      if (other.spec.name == suite.spec.name)
        return invalid_input("[sweep] expected suites with different names, got \"{}\" twice; set name in one of them",
                             suite.spec.name);
    HALFTONE_ASSIGN(PreparedSuite prepared, prepare_suite(suite, *reference_, Split::all));
    judged_.text += (judged_.text.empty() ? "" : ", ") + suite.spec.file.filename().string();
    add_prepared(std::move(prepared));
  }
  return {};
}

Status SweepJudge::use_held_out() {
  if (calibration_ == nullptr)
    return invalid_input(
        "[sweep] expected --calibration FILE, of which a tenth is held out, or --suite divergence:FILE.txt, got "
        "neither");
  HALFTONE_ASSIGN(HeldOut parts, hold_out_tenth(*calibration_, static_cast<int>(model_->config.bos)));
  *calibration_ = std::move(parts.calibration);
  calibration_json_["tokens"] = calibration_->size();
  calibration_json_["windows"] = calibration_->count();
  PreparedSuite held;
  held.spec.name = "held out";
  held.spec.task = Task::divergence;
  held.spec.answer_tokens = 0;
  held.spec.bos = false;  // its windows have theirs
  for (std::vector<int>& window : parts.windows) {
    SampleRecord record;
    record.suite = held.spec.name;
    record.task = Task::divergence;
    record.id = fmt::format("window-{}", held.windows.size());
    record.group = record.id;
    record.tokens = static_cast<int64_t>(window.size()) - 1;
    held.samples.push_back(std::move(record));
    held.windows.push_back(std::move(window));
  }
  judged_.text = fmt::format("a tenth of {}, held out", options_.calibration.filename().string());
  judged_.left_out = parts.repeated;
  add_prepared(std::move(held));
  return {};
}

void SweepJudge::add_prepared(PreparedSuite prepared) {
  for (size_t i = 0; i < prepared.windows.size(); ++i) {
    windows_.begins.push_back(windows_.size());
    windows_.tokens.insert(windows_.tokens.end(), prepared.windows[i].begin(), prepared.windows[i].end());
    judged_.windows += 1;
    judged_.tokens += prepared.samples[i].tokens;
  }
  prepared_.push_back(std::move(prepared));
}

Status SweepJudge::check_leakage() const {
  if (calibration_ == nullptr) return {};
  return refuse_leakage(find_leakage(*calibration_, windows_), options_.calibration.string(), judged_.text);
}

std::string SweepJudge::key_of(const GridPoint& point) const {
  return sha256_hex(fmt::format("sweep 1\n{}\n{}\n{}\n{}\n{}\n", version(), source_sha256_, point.recipe.text,
                                point.uses_data() ? calibration_sha256_ : "no data", judged_.sha256));
}

Result<SweepPoint> SweepJudge::measure(const GridPoint& point, const std::filesystem::path& artifact) {
  QuantizeOptions options;
  options.replace = true;
  options.calibration = calibration_.get();
  HALFTONE_ASSIGN(const QuantizeReport made, quantize(*model_, point.recipe, artifact, options, *pool_, progress_));
  const auto start = Clock::now();
  HALFTONE_ASSIGN(auto candidate, load_language_model(artifact));
  HALFTONE_ASSIGN(const auto scorer, ModelScorer::create(std::move(candidate), {options_.threads, Activations::exact}));
  std::vector<SampleRecord> records;
  for (const PreparedSuite& suite : prepared_) {
    HALFTONE_ASSIGN(std::vector<SampleRecord> part,
                    score_candidate(suite, *reference_, *scorer, point.name, progress_));
    for (SampleRecord& record : part) {
      record.id = record.suite + ":" + record.id;
      record.suite = kSweepSuite;
      records.push_back(std::move(record));
    }
  }
  HALFTONE_ASSIGN(const Comparison comparison, compare(records, nullptr));
  SweepPoint out;
  out.name = point.name;
  out.layout = point.layout->name;
  out.granularity = granularity_of(*point.layout);
  out.method = point.method;
  out.bits = point.layout->bits;
  out.key = key_of(point);
  out.bytes = made.weights_bytes;
  out.bits_per_weight = made.bits_per_weight;
  out.windows = judged_.windows;
  out.tokens = judged_.tokens;
  take_figures(comparison, out);
  out.quantize_seconds = made.seconds;
  out.judge_seconds = seconds_since(start);
  return out;
}

Result<int64_t> SweepJudge::bytes_in(const Layout& layout) const {
  HALFTONE_ASSIGN(const Recipe recipe, parse_recipe(fmt::format("rules: [{{layout: {}}}]", layout.name), "bytes"));
  HALFTONE_ASSIGN(const auto assignments, assign_layouts(model_->file, model_->model->graph(), recipe));
  int64_t bytes = 0;
  for (const Assignment& one : assignments) {
    const WeightView view = one.source->view();
    bytes += one.layout == nullptr ? static_cast<int64_t>(view.data.size())
                                   : one.layout->bytes(view.rows, view.columns, Order::panel16);
  }
  return bytes;
}

}  // namespace halftone
