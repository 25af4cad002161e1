// SPDX-License-Identifier: Apache-2.0
#include "cli/mixed_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/units.h"
#include "cli/table.h"

namespace halftone::cli {
namespace {

constexpr size_t kShownTensors = 60;

// In units of 1e-6 nats.
std::string micro(double kl) { return fmt::format("{:.1f}", 1e6 * kl); }

// "int4_block32 -120.3 /MB": what a step changes, per byte.
std::string step_text(const MixedStep& step) {
  if (step.layout.empty()) return "-";
  return fmt::format("{} {:+.1f}", step.layout, 1e6 * step.kl);
}
std::string rate_text(const MixedStep& step) {
  return step.layout.empty() ? "-" : fmt::format("{:.0f}", 1e6 * step.kl_per_megabyte());
}

}  // namespace

std::string mixed_text(const MixedReport& report, bool colour) {
  std::vector<const MixedTensor*> shown;
  for (const MixedTensor& one : report.tensors) shown.push_back(&one);
  if (shown.size() > kShownTensors) {  // those that matter most
    std::stable_sort(shown.begin(), shown.end(), [](const auto* a, const auto* b) { return a->kl > b->kl; });
    shown.resize(kShownTensors);
  }
  Table table({"tensor", "layout", ">bytes", ">KL alone", "step down", ">per MB", "step up", ">per MB"});
  for (const MixedTensor* one : shown)
    table.row({{one->name},
               {one->layout},
               {format_bytes(one->bytes)},
               {micro(one->kl)},
               {step_text(one->down)},
               {rate_text(one->down)},
               {step_text(one->up)},
               {rate_text(one->up)}});
  std::string text = fmt::format("layouts by measurement, KL in millionths of a nat per token on {} tokens:\n",
                                 format_count(report.tokens)) +
                     table.render(colour);
  if (shown.size() < report.tensors.size())
    text += fmt::format("and {} tensors that cost less alone (--json has all)\n", report.tensors.size() - shown.size());
  text += fmt::format("KL {} together, {} as a sum of each alone; the best sum gave {}, {} measured choices the rest\n",
                      micro(report.kl), micro(report.predicted_kl), micro(report.first_kl),
                      format_count(report.refine_trials));
  if (report.price_per_megabyte > 0)
    text += fmt::format("{:.3f} of {:.3f} bits per weight used; the budget cut where a megabyte more saves {}\n",
                        report.bits_per_weight, report.target_bits, micro(report.price_per_megabyte));
  else
    text += fmt::format("{:.3f} of {:.3f} bits per weight used: more would buy nothing among these layouts\n",
                        report.bits_per_weight, report.target_bits);
  return text;
}

}  // namespace halftone::cli
