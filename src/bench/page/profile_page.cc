// SPDX-License-Identifier: Apache-2.0
#include "bench/page/profile_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/html.h"
#include "base/units.h"
#include "base/version.h"
#include "bench/page/assets.h"
#include "device/machine.h"

namespace halftone {
namespace {

constexpr double kThin = 0.012;  // of the phase: narrower blocks carry no text

struct Block {
  std::string label, css, told;
  double seconds = 0;
};

// Rows from the whole down to single layers; each row sums to the phase.
struct Flame {
  std::vector<Block> kinds, roles, steps;
};

const char* css_of(std::string_view op) {
  if (op == "linear" || op == "attention") return op == "linear" ? "linear" : "attention";
  return op == "prepare" || op == "caller" ? "rest" : "small";
}

std::string told(std::string_view name, double seconds, double memory_bytes, double operations,
                 const PhaseProfile& phase) {
  std::string out = fmt::format("{}: {} of {}, {:.2f} %", name, format_seconds(seconds), format_seconds(phase.seconds),
                                100 * seconds / phase.seconds);
  if (memory_bytes > 0) {
    out += fmt::format("; {} at {:.1f} GB/s", format_bytes(static_cast<int64_t>(memory_bytes)),
                       memory_bytes / seconds / 1e9);
  }
  if (operations > 0)
    out += fmt::format("; {:.2f} G operations at {:.0f} Gop/s", operations / 1e9, operations / seconds / 1e9);
  return out;
}

Flame flame_of(const PhaseProfile& phase) {
  const std::vector<OpProfile> ops = by_op(phase);
  std::vector<std::string> kinds;  // the longest first
  std::vector<double> kind_seconds;
  for (const OpProfile& op : ops) {
    const auto at = std::find(kinds.begin(), kinds.end(), op.op);
    const auto index = static_cast<size_t>(at - kinds.begin());
    if (at == kinds.end()) {
      kinds.push_back(op.op);
      kind_seconds.push_back(0);
    }
    kind_seconds[index] += op.seconds;
  }
  Flame flame;
  for (size_t i = 0; i < kinds.size(); ++i) {
    flame.kinds.push_back({kinds[i], css_of(kinds[i]), told(kinds[i], kind_seconds[i], 0, 0, phase), kind_seconds[i]});
    for (const OpProfile& op : ops) {
      if (op.op != kinds[i]) continue;
      const std::string name = op.role.empty() ? op.op : op.role;
      flame.roles.push_back({name, css_of(op.op),
                             told(op.op + " " + op.role, op.seconds, op.memory_bytes, op.operations(), phase),
                             op.seconds});
      for (const StepTotal& step : phase.steps) {
        if (step.op != op.op || (!op.role.empty() && role_of(step.name) != op.role)) continue;
        flame.steps.push_back(
            {step.name, css_of(op.op),
             told(step.name.empty() ? op.op : step.name, step.seconds, step.weight_bytes + step.kv_bytes,
                  step.int8_operations + step.f32_operations + step.bf16_operations, phase),
             step.seconds});
      }
    }
  }
  return flame;
}

std::string row_html(const std::vector<Block>& blocks, const PhaseProfile& phase) {
  std::string out = "<div class=\"row\">";
  for (const Block& block : blocks) {
    const double share = block.seconds / phase.seconds;
    if (share <= 0) continue;
    out += fmt::format(R"(<button type="button" class="{}{}" style="width:{:.4f}%" title="{}">{}</button>)", block.css,
                       share < kThin ? " thin" : "", 100 * share, page::escape(block.told),
                       share < kThin ? "" : page::escape(block.label));
  }
  return out + "</div>\n";
}

std::string table_html(const PhaseProfile& phase, const BenchReport& report) {
  page::Table table({{"step"},
                     {"time", true},
                     {"share", true},
                     {"memory", true},
                     {"GB/s", true},
                     {"of bandwidth", true},
                     {"G operations", true},
                     {"Gop/s", true},
                     {"of peak", true}});
  const auto shown = [](double value, const char* unit) {
    return value > 0 ? fmt::format("{:.1f}{}", value, unit) : "";
  };
  for (const OpProfile& op : by_op(phase)) {
    const double operations = op.operations();
    const double ideal = op.int8_operations / std::max(report.int8_peak, 1.0) +
                         op.f32_operations / std::max(report.f32_peak, 1.0) +
                         op.bf16_operations / std::max(report.bf16_peak, 1.0);
    const double memory_rate = op.memory_bytes / op.seconds;
    table.row({fmt::format("<b>{}</b> {}", page::escape(op.op), page::escape(op.role)), format_seconds(op.seconds),
               fmt::format("{:.1f}&nbsp;%", 100 * op.seconds / phase.seconds),
               op.memory_bytes > 0 ? format_bytes(static_cast<int64_t>(op.memory_bytes)) : "",
               shown(memory_rate / 1e9, ""), shown(100 * memory_rate / std::max(report.read_bandwidth, 1.0), "&nbsp;%"),
               shown(operations / 1e9, ""), shown(operations / op.seconds / 1e9, ""),
               shown(100 * ideal / op.seconds, "&nbsp;%")});
  }
  return table.html();
}

std::string phase_html(const char* name, const PhaseProfile& phase, const BenchReport& report) {
  const Flame flame = flame_of(phase);
  const std::string whole = fmt::format("{} of {} tokens: {}", name, phase.tokens, format_seconds(phase.seconds));
  std::string out = fmt::format("<section><h3>{}</h3>\n<div class=\"flame\">\n", page::escape(whole));
  out += row_html({{whole, "rest", whole, phase.seconds}}, phase);
  for (const auto* blocks : {&flame.kinds, &flame.roles, &flame.steps}) out += row_html(*blocks, phase);
  return out +
         fmt::format(
             "</div>\n<p class=\"told\">Widths are time: the whole, kinds of steps, roles, single layers. The steps "
             "sum to {:.1f} % of the "
             "whole; point at a block for its figures.</p>\n",
             100 * phase.attributed()) +
         table_html(phase, report) + "</section>\n";
}

}  // namespace

std::string render_profile_page(const BenchReport& report) {
  const MachineInfo machine = machine_info();
  std::string out = page::page_head("halftone: where the time goes", page::profile_css());
  out += R"(<header><div><p class="brand"><b>halftone</b> bench</p><h1>Where the time goes</h1>)";
  out += fmt::format(
      "<p class=\"note\">{}, {}. Limits measured in the same run: {:.1f} GB/s read, {:.2f} Top/s 8-bit dot products, "
      "{:.2f} Top/s "
      "f32 multiply-adds. Memory is weights, keys and values; activations stay mostly in "
      "caches.</p></div></header>\n<main>\n",
      page::escape(machine.cpu), report.isa, report.read_bandwidth / 1e9, report.int8_peak / 1e12,
      report.f32_peak / 1e12);
  for (const ModelBench& model : report.models) {
    if (!model.profile) continue;
    out += fmt::format(
        "<h2>{}</h2>\n<p class=\"note\">{} activations, {} threads; decoding after {} tokens of context.</p>\n",
        page::escape(model.model), model.activations, model.threads, model.context_tokens);
    out += phase_html("prefill", model.profile->prefill, report);
    out += phase_html("decode", model.profile->decode, report);
  }
  out += fmt::format(
      "</main>\n<footer><div>Written by halftone {} on {}. This page makes no network requests.</div></footer>\n",
      version(), utc_now());
  out += "<script>";
  out += page::profile_js();
  return out + "</script>\n</body>\n</html>\n";
}

}  // namespace halftone
