// SPDX-License-Identifier: Apache-2.0
#include "cli/quantize_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "base/units.h"
#include "cli/table.h"

namespace halftone::cli {
namespace {

struct LayoutSum {
  int64_t tensors = 0, elements = 0, bytes = 0;
  double worst = 0;
};

}  // namespace

std::string quantize_table(const QuantizeReport& report, bool colour) {
  std::map<std::string, LayoutSum> sums;
  for (const TensorReport& tensor : report.tensors) {
    LayoutSum& sum = sums[tensor.layout];
    sum.tensors += 1;
    sum.elements += tensor.elements;
    sum.bytes += tensor.bytes;
    sum.worst = std::max(sum.worst, tensor.relative_rms_error);
  }
  Table table({"layout", ">tensors", ">weights", ">bytes", ">bits/weight", ">worst error"});
  for (const auto& [layout, sum] : sums)
    table.row({{layout},
               {format_count(sum.tensors)},
               {format_count(sum.elements)},
               {format_bytes(sum.bytes)},
               {fmt::format("{:.2f}", 8.0 * static_cast<double>(sum.bytes) /
                                          static_cast<double>(std::max<int64_t>(1, sum.elements)))},
               {sum.worst > 0 ? fmt::format("{:.1f} %", 100 * sum.worst) : "-"}});
  return table.render(colour);
}

std::string tuned_text(const TuneReport& tuned) {
  return fmt::format("tuned in {} steps: KL on {} held-out tokens {:.5f} -> {:.5f}{}\n", tuned.steps,
                     format_count(tuned.held_out_tokens), tuned.kl_before, tuned.kl_after,
                     tuned.kept ? "" : ", no gain: left as it was");
}

std::string ranges_text(const RangesReport& report) {
  constexpr size_t kShown = 5;
  const auto inside = [](const InputRange& input) { return input.held_out.value_or(input.calibration).inside; };
  std::vector<const InputRange*> inputs;
  for (const InputRange& one : report.inputs) inputs.push_back(&one);
  std::stable_sort(inputs.begin(), inputs.end(), [&](const auto* a, const auto* b) { return inside(*a) < inside(*b); });
  std::string text = fmt::format("static {}-bit ranges by {}: {:.4f} % of the calibrated values inside",
                                 report.options.bits, name_of(report.options.rule), 100 * report.inside);
  if (report.held_out_inside) text += fmt::format(", {:.4f} % of the held-out ones", 100 * *report.held_out_inside);
  text += "\n";
  for (size_t i = 0; i < std::min(kShown, inputs.size()); ++i)
    text += fmt::format("  {:<40} {:8.4f} %  rounding error {:.2f} %\n", inputs[i]->matrices.front(),
                        100 * inside(*inputs[i]), 100 * inputs[i]->relative_rms_error);
  return text;
}

std::string coverage_text(const CoverageReport& report) {
  constexpr size_t kShown = 3;
  std::vector<const TensorCoverage*> tensors;
  for (const TensorCoverage& one : report.tensors) tensors.push_back(&one);
  std::stable_sort(tensors.begin(), tensors.end(), [](const auto* a, const auto* b) { return a->inside < b->inside; });
  std::string text = fmt::format("calibration covers {:.2f} % of the held-out values\n", 100 * report.inside);
  for (size_t i = 0; i < std::min(kShown, tensors.size()); ++i)
    text += fmt::format("  {:<28} {:6.2f} %  moments of half the text off by {:.1f} %\n", tensors[i]->readers.front(),
                        100 * tensors[i]->inside, 100 * tensors[i]->moment_change);
  return text;
}

}  // namespace halftone::cli
