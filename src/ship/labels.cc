// SPDX-License-Identifier: Apache-2.0
#include "ship/labels.h"

#include <algorithm>
#include <array>
#include <limits>

#include "validate/quantities.h"
#include "validate/tasks/network_task.h"

namespace halftone {

namespace {

constexpr std::array<MetricStyle, 31> kStyles = {{
    {"choice_accuracy", "Right answers", "fraction", true},
    {"top1", "Right classes (top 1)", "fraction", true},
    {"top5", "Right class among five (top 5)", "fraction", true},
    {"calibration_error", "Calibration error (ECE)", "fraction", true},
    {"answer_probability", "Probability of the right answer", "fraction", true},
    {"confident_flips", "Confident flips", "fraction", false},
    {"answer_flips", "Changed answers", "fraction", false},
    {"log_perplexity", "Log perplexity, nats per token", "nats", true},
    {"kl", "Divergence from float, nats per token", "nats", false},
    {"top_token_agreement", "Same most likely token", "fraction", false},
    {"confident_token_flips", "Confident tokens flipped", "fraction", false},
    {"token_probability_change", "Change of a token's probability", "fraction", false},
    {"changed_answers", "Changed greedy answers", "fraction", false},
    {"ood_gap", "Lost more on shifted pictures", "fraction", false},
    {"ood_top1", "Right classes, shifted pictures", "fraction", true},
    {"map", "Mean average precision (COCO)", "fraction", true},
    {"ap50", "Average precision, overlap 0.50", "fraction", true},
    {"ap75", "Average precision, overlap 0.75", "fraction", true},
    {"map_small", "mAP of objects below 32 x 32", "fraction", true},
    {"map_medium", "mAP of objects up to 96 x 96", "fraction", true},
    {"map_large", "mAP of larger objects", "fraction", true},
    {"image_precision", "Precision lost within an image", "fraction", false},
    {"absolute_error", "Mean absolute error", "value", true},
    {"error_increase", "Error gained", "value", false},
    {"recall_at_10", "Relevant among ten neighbours (recall)", "fraction", true},
    {"ndcg_at_10", "Ranking of ten neighbours (nDCG)", "fraction", true},
    {"nearest_right", "Nearest neighbour relevant", "fraction", true},
    {"neighbour_flips", "Neighbours changed", "fraction", false},
    {"cosine_distance", "Turn of the embedding, 1 - cosine", "distance", false},
    {"wrong_answers", "Wrong answers", "fraction", true},
    {"top1_errors", "Wrong classes", "fraction", true},
}};

struct CheckName {
  std::string_view metric, label;
};
constexpr std::array<CheckName, 26> kChecks = {{
    {"top1", "top 1"},
    {"top1.loss", "loss"},
    {"top5.loss", "top-5 loss"},
    {"choice_accuracy", "accuracy"},
    {"choice_accuracy.loss", "loss"},
    {"confident_flips", "confident flips"},
    {"answer_flips", "answer flips"},
    {"answer_probability.loss", "probability loss"},
    {"answer_probability.p95", "probability loss p95"},
    {"answer_probability.p99", "probability loss p99"},
    {"answer_probability.p99.9", "probability loss p99.9"},
    {"absolute_error.increase", "error gained"},
    {"absolute_error.p95", "error p95"},
    {"recall_at_10.loss", "recall loss"},
    {"ndcg_at_10.loss", "nDCG loss"},
    {"nearest_right.loss", "nearest lost"},
    {"log_perplexity.increase", "log perplexity"},
    {"kl.mean", "KL"},
    {"kl.p95", "KL p95"},
    {"kl.p99", "KL p99"},
    {"top_token_agreement", "same top token"},
    {"confident_token_flips", "confident tokens flipped"},
    {"token_probability_change.loss", "token probability loss"},
    {"changed_answers", "changed greedy answers"},
    {"memory_bytes", "memory"},
    {"decode_tokens_per_second", "decode"},
}};

}  // namespace

MetricStyle metric_style(std::string_view metric) {
  const std::string_view name = metric.substr(metric.find(':') + 1);  // npos + 1 is 0
  const auto found =
      std::find_if(kStyles.begin(), kStyles.end(), [&](const MetricStyle& style) { return style.key == name; });
  return found != kStyles.end() ? *found : MetricStyle{metric, metric, "", true};
}

std::string_view tail_label(std::string_view metric) {
  const MetricStyle style = metric_style(metric);
  if (style.key == "answer_probability") return "Probability of the right answer lost";
  if (style.key == "log_perplexity") return "Log perplexity gained, nats per token";
  return style.key == "token_probability_change" ? "Size of the change of a token's probability" : style.label;
}

std::string check_label(std::string_view metric, std::string_view slice) {
  const auto found =
      std::find_if(kChecks.begin(), kChecks.end(), [&](const CheckName& name) { return name.metric == metric; });
  std::string label(found != kChecks.end() ? found->label : metric);
  const size_t equal = slice.find('=');
  return equal == std::string_view::npos ? label : std::string(slice.substr(equal + 1)) + " " + label;
}

std::string_view primary_metric_of(Task task) {
  if (const NetworkTask* of_network = network_task(task)) return of_network->primary;
  return has_answers(task)          ? accuracy_metric(task)
         : task == Task::divergence ? "top_token_agreement"
                                    : "log_perplexity";
}

SpeedStyle speed_style(const nlohmann::ordered_json& candidate) {
  const auto speed = candidate.find("speed");
  return speed != candidate.end() && speed->contains("latency")
             ? SpeedStyle{"speed/latency/samples_per_second", "one at a time", "samples/s"}
             : SpeedStyle{"speed/decode/tokens_per_second", "decode", "tok/s"};
}

double speed_of(const nlohmann::ordered_json& candidate) {
  const nlohmann::ordered_json::json_pointer median("/" + std::string(speed_style(candidate).path) + "/median");
  return candidate.contains(median) && candidate[median].is_number() ? candidate[median].get<double>()
                                                                     : std::numeric_limits<double>::quiet_NaN();
}

std::string_view tail_metric_of(Task task) {
  if (const NetworkTask* of_network = network_task(task)) return of_network->tail;
  return has_answers(task) ? "answer_probability" : task == Task::divergence ? "kl" : "log_perplexity";
}

}  // namespace halftone
