// SPDX-License-Identifier: Apache-2.0
#include "validate/gate.h"

#include <algorithm>
#include <cmath>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/numbers.h"
#include "base/units.h"
#include "base/yaml.h"

namespace halftone {
namespace {

using Kind = GateMetric::Kind;

constexpr GateMetric kMetrics[] = {
    {"choice_accuracy", "wrong_answers", Kind::rate, 0, "percent", true, 1, -1,
     "questions the candidate answers right"},
    {"choice_accuracy.loss", "choice_accuracy", Kind::rate, 0, "points", false, 0, 1, "accuracy lost, paired"},
    {"top1", "top1_errors", Kind::rate, 0, "percent", true, 1, -1, "samples whose most probable class is right"},
    {"top1.loss", "top1", Kind::rate, 0, "points", false, 0, 1, "accuracy lost, paired"},
    {"top5.loss", "top5", Kind::rate, 0, "points", false, 0, 1, "right class left the five most probable, paired"},
    {"confident_flips", "confident_flips", Kind::rate, 0, "percent", false, 0, 1, "right with p >= 0.8, now wrong"},
    {"answer_flips", "answer_flips", Kind::rate, 0, "percent", false, 0, 1, "questions answered differently"},
    {"answer_probability.loss", "answer_probability", Kind::mean, 0, "points", false, 0, 1,
     "probability of the right answer lost"},
    {"answer_probability.p95", "answer_probability", Kind::tail, 0.95, "points", false, 0, 1,
     "95 % of questions lose less"},
    {"answer_probability.p99", "answer_probability", Kind::tail, 0.99, "points", false, 0, 1,
     "99 % of questions lose less"},
    {"answer_probability.p99.9", "answer_probability", Kind::tail, 0.999, "points", false, 0, 1,
     "99.9 % of questions lose less"},
    {"ood_gap", "ood_gap", Kind::mean, 0, "points", false, 0, 1,
     "probability of the right answer that shifted pictures lose beyond the pictures themselves"},
    {"ood_top1.loss", "ood_top1", Kind::rate, 0, "points", false, 0, 1, "accuracy lost on shifted pictures, paired"},
    {"map.loss", "map", Kind::mean, 0, "points", false, 0, 1, "mean average precision lost (COCO), paired"},
    {"ap50.loss", "ap50", Kind::mean, 0, "points", false, 0, 1, "average precision at overlap 0.5 lost"},
    {"ap75.loss", "ap75", Kind::mean, 0, "points", false, 0, 1, "average precision at overlap 0.75 lost"},
    {"map_small.loss", "map_small", Kind::mean, 0, "points", false, 0, 1, "of objects below 32 x 32 pixels"},
    {"map_medium.loss", "map_medium", Kind::mean, 0, "points", false, 0, 1, "of objects up to 96 x 96 pixels"},
    {"map_large.loss", "map_large", Kind::mean, 0, "points", false, 0, 1, "of larger objects"},
    {"image_precision.p95", "image_precision", Kind::tail, 0.95, "points", false, 0, 1,
     "95 % of images lose less of their own precision"},
    {"image_precision.p99", "image_precision", Kind::tail, 0.99, "points", false, 0, 1,
     "99 % of images lose less of their own precision"},
    {"absolute_error.increase", "absolute_error", Kind::mean, 0, "value", false, 0, 1, "mean absolute error gained"},
    {"absolute_error.p95", "absolute_error", Kind::tail, 0.95, "value", false, 0, 1, "95 % of samples err less"},
    {"absolute_error.p99", "absolute_error", Kind::tail, 0.99, "value", false, 0, 1, "99 % of samples err less"},
    {"error_increase.p95", "error_increase", Kind::tail, 0.95, "value", false, 0, 1, "95 % of errors grow by less"},
    {"error_increase.p99", "error_increase", Kind::tail, 0.99, "value", false, 0, 1, "99 % of errors grow by less"},
    {"recall_at_10.loss", "recall_at_10", Kind::mean, 0, "points", false, 0, 1, "relevant neighbours lost, paired"},
    {"ndcg_at_10.loss", "ndcg_at_10", Kind::mean, 0, "points", false, 0, 1, "gain of the ranking lost, paired"},
    {"nearest_right.loss", "nearest_right", Kind::rate, 0, "points", false, 0, 1,
     "nearest neighbour no longer relevant, paired"},
    {"neighbour_flips", "neighbour_flips", Kind::rate, 0, "percent", false, 0, 1, "of ten neighbours, others now"},
    {"cosine_distance.p95", "cosine_distance", Kind::tail, 0.95, "distance", false, 0, 1,
     "95 % of embeddings turn less (1 - cosine)"},
    {"cosine_distance.p99", "cosine_distance", Kind::tail, 0.99, "distance", false, 0, 1,
     "99 % of embeddings turn less (1 - cosine)"},
    {"log_perplexity.increase", "log_perplexity", Kind::mean, 0, "nats", false, 0, 1, "ln of the perplexity ratio"},
    {"log_perplexity.p95", "log_perplexity", Kind::tail, 0.95, "nats", false, 0, 1, "increase in 95 % of windows"},
    {"log_perplexity.p99", "log_perplexity", Kind::tail, 0.99, "nats", false, 0, 1, "increase in 99 % of windows"},
    {"kl.mean", "kl", Kind::mean, 0, "nats", false, 0, 1, "divergence from the reference, per token"},
    {"kl.p50", "kl", Kind::tail, 0.5, "nats", false, 0, 1, "half of the tokens diverge less"},
    {"kl.p95", "kl", Kind::tail, 0.95, "nats", false, 0, 1, "95 % of tokens diverge less"},
    {"kl.p99", "kl", Kind::tail, 0.99, "nats", false, 0, 1, "99 % of tokens diverge less"},
    {"kl.p99.9", "kl", Kind::tail, 0.999, "nats", false, 0, 1, "99.9 % of tokens diverge less"},
    {"top_token_agreement", "top_token_agreement", Kind::rate, 0, "percent", true, 1, -1, "same most probable token"},
    {"confident_token_flips", "confident_token_flips", Kind::rate, 0, "percent", false, 0, 1,
     "of tokens that the reference gives p >= 0.8, another is likeliest"},
    {"token_probability_change.loss", "token_probability_change", Kind::mean, 0, "points", false, 0, 1,
     "true token's probability lost"},
    {"token_probability_change.p95", "token_probability_change", Kind::tail, 0.95, "points", false, 0, 1,
     "size of the change, 95 % of tokens"},
    {"token_probability_change.p99", "token_probability_change", Kind::tail, 0.99, "points", false, 0, 1,
     "size of the change, 99 % of tokens"},
    {"changed_answers", "changed_answers", Kind::rate, 0, "percent", false, 0, 1, "greedy answers that differ"},
    {"bytes", "bytes", Kind::fact, 0, "bytes", false, 0, 1, "size on disk"},
    {"memory_bytes", "memory_bytes", Kind::fact, 0, "bytes", false, 0, 1, "peak memory"},
    {"decode_tokens_per_second", "decode_tokens_per_second", Kind::fact, 0, "tokens_per_second", true, 0, -1,
     "decode speed"},
};

bool is_share(std::string_view unit) { return unit == "points" || unit == "percent" || unit == "fraction"; }

Result<std::string> parse_unit(YamlMap& map, const GateMetric& metric) {
  HALFTONE_ASSIGN(const std::string unit, map.text("unit", std::string(metric.unit)));
  if (unit == metric.unit || (is_share(unit) && is_share(metric.unit))) return unit;
  return map.error("unit", fmt::format("expected {}, got \"{}\"",
                                       is_share(metric.unit) ? "points, percent or fraction" : metric.unit, unit));
}

Result<double> parse_limit(YamlMap& map, const GateMetric& metric, const std::string& unit) {
  const std::string key = metric.minimum ? "min" : "max", other = metric.minimum ? "max" : "min";
  if (map.has(other) || !map.has(key))
    return map.error(map.has(other) ? other : "metric",
                     fmt::format("expected \"{}: LIMIT\" for {} ({})", key, metric.name, metric.says));
  if (unit == "bytes" || unit == "tokens_per_second") {
    HALFTONE_ASSIGN(const std::string text, map.text(key));
    if (unit == "bytes") {
      const Result<int64_t> bytes = parse_bytes(text);
      if (!bytes.ok()) return map.error(key, bytes.status().message());
      return static_cast<double>(*bytes);
    }
    const Result<double> rate = parse_rate(text);
    if (!rate.ok()) return map.error(key, rate.status().message());
    return *rate;
  }
  HALFTONE_ASSIGN(const double limit, map.number(key));
  if (is_share(unit) && std::fabs(limit * unit_size(unit)) > 1)
    return map.error(key, fmt::format("expected a limit within 100 percent, got {} {}", limit, unit));
  return limit;
}

Result<GateCheck> parse_check(YamlMap& map) {
  GateCheck check;
  HALFTONE_ASSIGN(check.metric, map.text("metric"));
  if (check.metric == "kl") check.metric = "kl.mean";
  const GateMetric* metric = find_gate_metric(check.metric);
  if (metric == nullptr) {
    std::vector<std::string> names;
    for (const GateMetric& one : kMetrics) names.emplace_back(one.name);
    const std::string near = nearest_word(check.metric, names);
    return map.error("metric", fmt::format("expected a metric that a gate can limit, got \"{}\"; {}", check.metric,
                                           check.metric.ends_with(".max") ? "a sample's maximum says nothing about the "
                                                                            "next one: use a quantile"
                                           : near.empty() ? fmt::format("known: {}", fmt::join(names, ", "))
                                                          : fmt::format("did you mean {}?", near)));
  }
  check.metric = metric->name;
  HALFTONE_ASSIGN(check.unit, parse_unit(map, *metric));
  HALFTONE_ASSIGN(check.limit, parse_limit(map, *metric, check.unit));
  HALFTONE_ASSIGN(check.suite, map.text("suite", ""));
  HALFTONE_ASSIGN(const std::string slice, map.text("slice", ""));
  if (!slice.empty()) {
    const size_t equal = slice.find('=');
    if (equal == std::string::npos || equal == 0 || equal + 1 == slice.size())
      return map.error("slice", fmt::format("expected COLUMN=VALUE, got \"{}\"", slice));
    if (metric->kind == Kind::fact)
      return map.error("slice", fmt::format("expected none: {} has no samples", metric->name));
    check.slice_column = slice.substr(0, equal);
    check.slice_value = slice.substr(equal + 1);
  }
  HALFTONE_TRY(map.finish());
  return check;
}

}  // namespace

std::span<const GateMetric> gate_metrics() { return kMetrics; }

const GateMetric* find_gate_metric(std::string_view name) {
  std::string wanted(name);
  std::replace(wanted.begin(), wanted.end(), '-', '_');
  const auto found = std::find_if(std::begin(kMetrics), std::end(kMetrics),
                                  [&](const GateMetric& metric) { return metric.name == wanted; });
  return found == std::end(kMetrics) ? nullptr : found;
}

double unit_size(std::string_view unit) { return unit == "points" || unit == "percent" ? 0.01 : 1; }

Result<Gate> parse_gate(std::string_view yaml, std::string_view name) {
  HALFTONE_ASSIGN(YamlMap map, YamlMap::parse_text(yaml, std::string(name)));
  HALFTONE_ASSIGN(std::vector<YamlMap> checks, map.maps("checks"));
  HALFTONE_TRY(map.finish());
  if (checks.empty())
    return map.error("checks",
                     "expected a list of at least one {metric, max}, got none; a gate without checks would "
                     "pass everything");
  Gate gate;
  for (YamlMap& one : checks) {
    HALFTONE_ASSIGN(GateCheck check, parse_check(one));
    gate.checks.push_back(std::move(check));
  }
  return gate;
}

Result<Gate> load_gate(const std::filesystem::path& path) {
  HALFTONE_ASSIGN(const std::string yaml, read_text_file(path));
  return parse_gate(yaml, path.string());
}

std::string describe(const GateCheck& check) {
  const GateMetric* metric = find_gate_metric(check.metric);
  std::string text = fmt::format("{} {} {} {}", check.metric,
                                 metric != nullptr && metric->minimum ? ">=" : "<=", check.limit, check.unit);
  if (!check.slice_column.empty()) text += fmt::format(" on {}={}", check.slice_column, check.slice_value);
  if (!check.suite.empty()) text += fmt::format(" in {}", check.suite);
  return text;
}

std::string gate_hash(const Gate& gate) {
  std::string text;
  for (const GateCheck& check : gate.checks) text += describe(check) + '\n';
  return sha256_hex(text);
}

std::string_view default_text_gate() {
  return R"(# Limits for a model judged on text alone, against its own float reference. Without labels nobody can say
# which answer is right, only how far the candidate has moved; these limits say "a reader would not notice".
checks:
  # 0.05 nats bound the mean shift of a token's distribution (total variation) by sqrt(0.05 / 2) = 16 points.
  - {metric: kl.mean, max: 0.05, unit: nats}
  # The mean hides the few tokens that turn a text. 1 nat: a token whose favourite fell to a third of its probability;
  # at most one token in a hundred may be that far off.
  - {metric: kl.p99, max: 1.0, unit: nats}
  # Nine times in ten greedy decoding takes the same next token.
  - {metric: top_token_agreement, min: 90, unit: percent}
  # What the text really says next may lose one point of probability on average. Changed greedy answers are shown but
  # not limited: after one harmless synonym two texts stay different for ever.
  - {metric: token_probability_change.loss, max: 1.0, unit: points}
)";
}

}  // namespace halftone
