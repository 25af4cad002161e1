// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/sweep.h"

namespace halftone {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const KneeReport& knee, const std::vector<SweepPoint>& points) {
  Json out = {{"curve", knee.curve},
              {"at", points[knee.knee.at].name},
              {"beyond", points[knee.knee.beyond].name},
              {"kl_factor_per_bit", {{"before", knee.knee.before}, {"after", knee.knee.after}}},
              {"causes",
               {{"method", knee.cause_method},
                {"tokens", knee.cause_tokens},
                {"missing", knee.causes_missing},
                {"tensors", Json::array()}}},
              {"alternatives", Json::array()}};
  for (const TensorCause& cause : knee.causes)
    out["causes"]["tensors"].push_back(
        {{"name", cause.name}, {"elements", cause.elements}, {"kl", cause.kl}, {"share", cause.share}});
  for (const SweepAlternative& one : knee.alternatives) {
    Json point = to_json(one.point);
    point["kl_factor"] = one.factor;
    out["alternatives"].push_back(std::move(point));
  }
  return out;
}

}  // namespace

Json to_json(const SweepReport& report) {
  Json out = {
      {"complete", report.complete},
      {"model",
       {{"name", report.model},
        {"family", report.family},
        {"bytes", report.source_bytes},
        {"sha256", report.source_sha256}}},
      {"judged",
       {{"text", report.judged.text},
        {"windows", report.judged.windows},
        {"tokens", report.judged.tokens},
        {"left_out_windows", report.judged.left_out},
        {"sha256", report.judged.sha256}}},
      {"points", Json::array()},
      {"left_out", Json::array()},
      {"front", Json::array()},
      {"knee_rule",
       "corner of the lower convex envelope of the Pareto front in (bits per weight, log mean KL) where the slope "
       "changes most, by a factor of at least 1.5 in KL per bit"},
      {"knees", Json::array()},
      {"conclusions", report.conclusions},
      {"measured", report.measured},
      {"resumed", report.resumed},
      {"seconds", report.seconds}};
  for (const SweepPoint& point : report.points) out["points"].push_back(to_json(point));
  for (const LeftOut& one : report.left_out) out["left_out"].push_back({{"what", one.what}, {"why", one.why}});
  for (const size_t index : report.front) out["front"].push_back(report.points[index].name);
  for (const KneeReport& knee : report.knees) out["knees"].push_back(json_of(knee, report.points));
  return out;
}

}  // namespace halftone
