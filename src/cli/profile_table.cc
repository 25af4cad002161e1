// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/units.h"
#include "cli/bench_table.h"
#include "cli/table.h"

namespace halftone::cli {

namespace {

constexpr double kLeastShown = 0.001;  // of the phase

std::string per_second(double amount, double seconds, double unit) {
  return amount > 0 && seconds > 0 ? fmt::format("{:.1f}", amount / seconds / unit) : "";
}

// How near the step is to the limit that binds it: the larger of its memory and its arithmetic share.
std::string near_limit(const OpProfile& op, const BenchReport& report) {
  const double memory = report.read_bandwidth > 0 ? op.memory_bytes / report.read_bandwidth : 0;
  const double arithmetic = (report.int8_peak > 0 ? op.int8_operations / report.int8_peak : 0) +
                            (report.f32_peak > 0 ? op.f32_operations / report.f32_peak : 0) +
                            (report.bf16_peak > 0 ? op.bf16_operations / report.bf16_peak : 0);
  if (memory <= 0 && arithmetic <= 0) return "";
  return memory > arithmetic ? fmt::format("{:.0f} % of bandwidth", 100 * memory / op.seconds)
                             : fmt::format("{:.0f} % of peak", 100 * arithmetic / op.seconds);
}

std::string phase_table(const char* name, const PhaseProfile& phase, const BenchReport& report, bool colour) {
  Table table({fmt::format("{}, {} tokens", name, phase.tokens), ">time", ">share", ">memory", ">GB/s", ">operations",
               ">Gop/s", "limit"});
  double rest = phase.seconds;
  for (const OpProfile& op : by_op(phase)) {
    if (op.seconds < kLeastShown * phase.seconds) continue;
    rest -= op.seconds;
    const double operations = op.operations();
    table.row({{op.op + (op.role.empty() ? "" : " " + op.role)},
               {format_seconds(op.seconds)},
               {fmt::format("{:.1f} %", 100 * op.seconds / phase.seconds)},
               {op.memory_bytes > 0 ? format_bytes(static_cast<int64_t>(op.memory_bytes)) : ""},
               {per_second(op.memory_bytes, op.seconds, 1e9)},
               {operations > 0 ? fmt::format("{:.1f} G", operations / 1e9) : ""},
               {per_second(operations, op.seconds, 1e9)},
               {near_limit(op, report)}});
  }
  table.row({{"smaller steps and between them"},
             {format_seconds(rest)},
             {fmt::format("{:.1f} %", 100 * rest / phase.seconds)}});
  table.row({{"sum", Colour::bold}, {format_seconds(phase.seconds)}, {"100.0 %"}});
  return table.render(colour);
}

}  // namespace

std::string profile_tables(const BenchReport& report, bool colour) {
  std::string out;
  for (const ModelBench& model : report.models) {
    if (!model.profile) continue;
    out += fmt::format("\n{}, {} threads:\n", paint(short_name(model.model), Colour::bold, colour), model.threads);
    out += phase_table("prefill", model.profile->prefill, report, colour);
    out += phase_table("decode", model.profile->decode, report, colour);
  }
  return out;
}

std::string limits_table(const MachineLimits& limits, bool colour) {
  const auto cell = [](const Spread& spread, double unit) {
    if (spread.median <= 0) return std::string("none");
    return fmt::format("{:.3g} [{:.3g}, {:.3g}]", spread.median / unit, spread.low / unit, spread.high / unit);
  };
  Table table({"threads", ">read GB/s", ">8-bit dot Gop/s", ">bf16 dot Gop/s", ">f32 FMA Gop/s"});
  for (const ThreadLimits& at : limits.by_threads) {
    table.row({{std::to_string(at.threads)},
               {cell(at.read_bandwidth, 1e9)},
               {cell(at.int8_dot, 1e9)},
               {cell(at.bf16_dot, 1e9)},
               {cell(at.f32_fma, 1e9)}});
  }
  return table.render(colour) +
         fmt::format("{}, {} cores, {}; median [lowest, highest] of the passes; others used {:.0f} % of the cores\n",
                     limits.cpu, limits.cores, limits.isa, 100 * limits.other_cpu_fraction);
}

}  // namespace halftone::cli
