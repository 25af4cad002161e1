// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/point.h"

#include "base/error.h"

namespace halftone {
namespace {

using Json = nlohmann::ordered_json;

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }
Json low_of(const std::optional<Interval>& interval) { return interval ? Json(interval->low) : Json(); }
Json high_of(const std::optional<Interval>& interval) { return interval ? Json(interval->high) : Json(); }

std::optional<double> optional_number(const Json& json, const char* key) {
  return json.at(key).is_null() ? std::nullopt : std::optional(json.at(key).get<double>());
}

std::optional<Interval> interval_of(const Json& json) {
  if (json.at("low").is_null()) return std::nullopt;
  return Interval{json.at("low").get<double>(), json.at("high").get<double>()};
}

SweepPoint point_of(const Json& json) {
  SweepPoint point;
  json.at("name").get_to(point.name);
  json.at("layout").get_to(point.layout);
  json.at("granularity").get_to(point.granularity);
  json.at("method").get_to(point.method);
  json.at("bits").get_to(point.bits);
  json.at("key").get_to(point.key);
  json.at("bytes").get_to(point.bytes);
  json.at("bits_per_weight").get_to(point.bits_per_weight);
  json.at("windows").get_to(point.windows);
  json.at("tokens").get_to(point.tokens);
  const Json& kl = json.at("kl");
  kl.at("mean").get_to(point.kl);
  point.kl_interval = interval_of(kl);
  point.kl_p99 = optional_number(kl, "p99");
  point.kl_p999 = optional_number(kl, "p99.9");
  kl.at("max").get_to(point.kl_max);
  json.at("log_perplexity_increase").at("mean").get_to(point.loss);
  point.loss_interval = interval_of(json.at("log_perplexity_increase"));
  json.at("top_token_agreement").at("mean").get_to(point.same_top);
  point.same_top_interval = interval_of(json.at("top_token_agreement"));
  json.at("quantize_seconds").get_to(point.quantize_seconds);
  json.at("judge_seconds").get_to(point.judge_seconds);
  return point;
}

}  // namespace

Json to_json(const SweepPoint& point) {
  return {{"name", point.name},
          {"layout", point.layout},
          {"granularity", point.granularity},
          {"method", point.method},
          {"bits", point.bits},
          {"key", point.key},
          {"bytes", point.bytes},
          {"bits_per_weight", point.bits_per_weight},
          {"windows", point.windows},
          {"tokens", point.tokens},
          {"kl",
           {{"mean", point.kl},
            {"low", low_of(point.kl_interval)},
            {"high", high_of(point.kl_interval)},
            {"p99", number_or_null(point.kl_p99)},
            {"p99.9", number_or_null(point.kl_p999)},
            {"max", point.kl_max}}},
          {"log_perplexity_increase",
           {{"mean", point.loss}, {"low", low_of(point.loss_interval)}, {"high", high_of(point.loss_interval)}}},
          {"top_token_agreement",
           {{"mean", point.same_top},
            {"low", low_of(point.same_top_interval)},
            {"high", high_of(point.same_top_interval)}}},
          {"quantize_seconds", point.quantize_seconds},
          {"judge_seconds", point.judge_seconds}};
}

Result<SweepPoint> parse_point(const Json& json, std::string_view name) {
  try {
    return point_of(json);
  } catch (const nlohmann::json::exception& error) {
    return invalid_input("[sweep] {}: expected a measured point, got {}; remove the file to measure it again", name,
                         error.what());
  }
}

}  // namespace halftone
