// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/conclude.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace halftone {
namespace {

std::string factor_text(double factor) { return fmt::format("{:.{}f}", factor, factor < 9.95 ? 1 : 0); }

std::string knee_sentence(const SweepReport& report) {
  if (report.knees.empty() || report.knees[0].curve != "all methods") {
    const SweepPoint& most = report.points[report.front.front()];
    const SweepPoint& least = report.points[report.front.back()];
    const double bits = most.bits_per_weight - least.bits_per_weight;
    if (!(bits > 0)) return fmt::format("One point, {}, is best in bytes and in KL: no curve, no knee.", most.name);
    const double factor = std::pow(std::max(least.kl, kLeastLoss) / std::max(most.kl, kLeastLoss), 1 / bits);
    return fmt::format(
        "No knee: from {:.2f} to {:.2f} bits per weight every bit saved multiplies KL by about {}, all the way.",
        most.bits_per_weight, least.bits_per_weight, factor_text(factor));
  }
  const Knee& knee = report.knees[0].knee;
  const SweepPoint& at = report.points[knee.at];
  const SweepPoint& beyond = report.points[knee.beyond];
  return fmt::format(
      "The knee is at {:.2f} bits per weight, {} (KL {}): before it every bit saved multiplies KL by {}, beyond it by "
      "{} ({} at {:.2f} bits: KL {}).",
      at.bits_per_weight, at.name, nats_text(at.kl), factor_text(knee.before), factor_text(knee.after), beyond.name,
      beyond.bits_per_weight, nats_text(beyond.kl));
}

// How few tensors make half of what all make, each alone.
std::string cause_sentence(const SweepReport& report, const KneeReport& knee) {
  const SweepPoint& beyond = report.points[knee.knee.beyond];
  if (knee.causes.empty()) return "";
  constexpr size_t kNamed = 3;
  double sum = 0;
  size_t half = 0;
  while (half < knee.causes.size() && sum < 0.5) sum += knee.causes[half++].share;
  std::string names;
  for (size_t i = 0; i < std::min(kNamed, knee.causes.size()); ++i)
    names += fmt::format("{}{} ({:.0f} %)", i == 0 ? "" : ", ", knee.causes[i].name, 100 * knee.causes[i].share);
  return fmt::format("{} of {} tensors {} half of what {} loses, each stored so alone: {}{}.", half, knee.causes.size(),
                     half == 1 ? "makes" : "make", beyond.name, names, half > kNamed ? ", ..." : "");
}

std::string move_sentence(const SweepReport& report, const KneeReport& knee) {
  const SweepPoint& beyond = report.points[knee.knee.beyond];
  if (knee.alternatives.empty()) return fmt::format("Nothing else was measured in the bytes of {}.", beyond.name);
  const SweepAlternative& best = knee.alternatives.front();
  if (best.factor < 1.02)
    return fmt::format(
        "In the bytes of {} (within 3 %) none of {} alternatives loses less: the nearest, {}, has KL {}.", beyond.name,
        knee.alternatives.size(), best.point.name, nats_text(best.point.kl));
  return fmt::format("In the bytes of {} (within 3 %) {} loses least: KL {} instead of {}, {} x less.", beyond.name,
                     best.point.name, nats_text(best.point.kl), nats_text(beyond.kl), factor_text(best.factor));
}

// The median over layouts of how much less the last method loses than the first.
std::string method_sentence(const SweepReport& report) {
  if (report.grid.methods.size() < 2) return "";
  const std::string &first = report.grid.methods.front(), &last = report.grid.methods.back();
  std::vector<double> factors;
  for (const SweepPoint& a : report.points)
    for (const SweepPoint& b : report.points)
      if (a.layout == b.layout && a.method == first && b.method == last)
        factors.push_back(std::max(a.kl, kLeastLoss) / std::max(b.kl, kLeastLoss));
  if (factors.empty()) return "";
  std::sort(factors.begin(), factors.end());
  return fmt::format("{} instead of {} divides KL by {} (median of {} layouts; {} to {}).", last, first,
                     factor_text(factors[factors.size() / 2]), factors.size(), factor_text(factors.front()),
                     factor_text(factors.back()));
}

}  // namespace

std::string nats_text(double value) {
  if (value == 0) return "0";
  const int digits = static_cast<int>(std::floor(std::log10(std::abs(value))));
  return digits < -6 ? fmt::format("{:.1e}", value) : fmt::format("{:.{}f}", value, std::max(0, 2 - digits));
}

std::vector<std::string> conclude(const SweepReport& report) {
  std::vector<std::string> sentences = {knee_sentence(report)};
  const bool whole = !report.knees.empty() && report.knees[0].curve == "all methods";
  if (whole) {
    sentences.push_back(cause_sentence(report, report.knees[0]));
    sentences.push_back(move_sentence(report, report.knees[0]));
  }
  sentences.push_back(method_sentence(report));
  for (size_t i = whole ? 1 : 0; i < report.knees.size(); ++i) {
    const KneeReport& knee = report.knees[i];
    sentences.push_back(fmt::format("{} alone: the knee is at {}, {:.2f} bits. {}", knee.curve,
                                    report.points[knee.knee.at].name, report.points[knee.knee.at].bits_per_weight,
                                    move_sentence(report, knee)));
  }
  std::erase(sentences, "");
  return sentences;
}

}  // namespace halftone
