// SPDX-License-Identifier: Apache-2.0
#include "ship/sentence.h"

#include <fmt/format.h>

#include <algorithm>

#include "ship/labels.h"

namespace halftone {

namespace {

using Json = nlohmann::ordered_json;

const Json& candidate_named(const Json& results, const Json& name) {
  for (const Json& candidate : results["candidates"])
    if (candidate["name"] == name) return candidate;
  return results["candidates"][0];
}

// "for 0.4 points fewer right answers", "with the same most likely token 97.1 % of the time".
std::string cost_of(const Json& quality, const std::string& metric) {
  if (!quality.contains("metrics") || !quality["metrics"].contains(metric)) return "";
  const Json& row = quality["metrics"][metric];
  const double delta = row["delta"].get<double>();
  const bool interval = row["low"].is_number() && row["high"].is_number();
  const std::string_view name = metric_style(metric).key;
  if (name == "choice_accuracy" || name == "top1") {
    const std::string range =
        interval ? fmt::format(" [{:+.1f}, {:+.1f}]", 100 * row["low"].get<double>(), 100 * row["high"].get<double>())
                 : "";
    return fmt::format(" Right answers change by {:+.1f} points{}.", 100 * delta, range);
  }
  if (name == "top_token_agreement")
    return fmt::format(" The most likely next token stays the same {:.1f} % of the time.", 100 * delta);
  return fmt::format(" Log perplexity changes by {:+.3f} nats per token.", delta);
}

std::string ratio(double value) { return fmt::format("{:.1f}", value); }

std::string ships(const Json& results, const Json& best) {
  const Json& reference = results["candidates"][0];
  const double smaller = reference["bytes"].get<double>() / std::max(1.0, best["bytes"].get<double>());
  std::string out = fmt::format("{} ships: {} times smaller", best["name"].get<std::string>(), ratio(smaller));
  if (speed_of(reference) > 0) {
    const double faster = speed_of(best) / speed_of(reference);
    out += faster >= 1.05
               ? fmt::format(" and {} times faster than {}.", ratio(faster), reference["name"].get<std::string>())
           : faster <= 0.95 ? fmt::format(" than {}, at {} times its speed.", reference["name"].get<std::string>(),
                                          fmt::format("{:.2f}", faster))
                            : fmt::format(" than {}, and as fast.", reference["name"].get<std::string>());
  } else {
    out += fmt::format(" than {}.", reference["name"].get<std::string>());
  }
  const Json& sealed = results["confirm"];
  return out + cost_of(sealed.contains("quality") ? sealed["quality"] : best["quality"],
                       results["primary_metric"].get<std::string>());
}

}  // namespace

std::string decision_sentence(const Json& results) {
  const Json& decision = results["decision"];
  const std::string verdict = decision["verdict"].get<std::string>();
  if (decision["winner"].is_null())
    return verdict == "fail"
               ? "Nothing ships: no candidate keeps the gate."
               : "Undecided: no candidate passes the gate, and the samples are too few to say that none would.";
  const Json& best = candidate_named(results, decision["winner"]);
  if (verdict == "pass") return ships(results, best);
  return fmt::format("Nothing ships: {} passed on the samples it was chosen with, but the sealed ones {}.",
                     best["name"].get<std::string>(),
                     verdict == "fail" ? "break the gate" : "are too few to confirm it");
}

}  // namespace halftone
