// SPDX-License-Identifier: Apache-2.0
#include "cli/bench_table.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/units.h"
#include "cli/table.h"

namespace halftone::cli {

namespace {

std::string rate(double value) {
  return value >= 100 ? format_count(static_cast<int64_t>(value + 0.5)) : fmt::format("{:.1f}", value);
}

std::string interval(const PhaseResult& phase) {
  const auto& speed = phase.tokens_per_second;
  return fmt::format("{} [{}, {}]", rate(speed.median), rate(speed.low), rate(speed.high));
}

std::string percent(const MedianInterval& fraction) {
  return fmt::format("{:.0f} % [{:.0f}, {:.0f}]", 100 * fraction.median, 100 * fraction.low, 100 * fraction.high);
}

// What a process with this model alone holds: pages of the file and private memory.
int64_t memory_of(const ModelBench& model) { return model.memory.weights_bytes + model.memory.peak_private_bytes; }

// "int8 activations", or each model's own where they differ.
std::string activations_of(const BenchReport& report) {
  const std::string& first = report.models.front().activations;
  std::string each;
  bool differ = false;
  for (const ModelBench& model : report.models) {
    differ = differ || model.activations != first;
    each += fmt::format("{}{} {}", each.empty() ? "" : ", ", short_name(model.model), model.activations);
  }
  return differ ? "activations: " + each : first + " activations";
}

std::string shown_name(const ModelBench& model, const BenchReport& report) {
  const std::string name = short_name(model.model);
  if (report.options.thread_counts.size() < 2) return name;
  return fmt::format("{}, {} thread{}", name, model.threads, model.threads == 1 ? "" : "s");
}

// "=> llama: 2, 4 tokens at once cost 1.02, 1.15 x one (int8); 1.90, 3.71 x one (exact)"
std::string verify_line(const ModelBench& model, const BenchReport& report) {
  if (model.verify.empty()) return "";
  std::string counts, ratios, path;
  for (const VerifyResult& verify : model.verify) {
    if (verify.activations == model.verify.front().activations)
      counts += fmt::format("{}{}", counts.empty() ? "" : ", ", verify.tokens);
    if (!path.empty() && path != verify.activations) ratios += fmt::format(" x one ({}); ", path);
    const bool first = ratios.empty() || path != verify.activations;
    ratios += fmt::format("{}{:.2f}", first ? "" : ", ", verify.ratio_to_one.median);
    path = verify.activations;
  }
  return fmt::format("=> {}: {} tokens at once cost {} x one ({})\n", shown_name(model, report), counts, ratios, path);
}

std::string limits_line(const BenchReport& report) {
  std::string bf16 = report.bf16_peak > 0 ? fmt::format(", bf16 dot {:.2f}", report.bf16_peak / 1e12) : "";
  return fmt::format("limits measured beside it: read {:.1f} GB/s; 8-bit dot {:.2f}{}, f32 FMA {:.2f} Top/s\n",
                     report.read_bandwidth / 1e9, report.int8_peak / 1e12, bf16, report.f32_peak / 1e12);
}

}  // namespace

std::string short_name(const std::string& path) {
  std::filesystem::path folder(path);
  if (folder.filename().empty()) folder = folder.parent_path();
  const std::string name = folder.extension() == ".ht" ? folder.stem().string() : folder.filename().string();
  return name.empty() ? path : name;
}

std::string bench_table(const BenchReport& report, bool colour) {
  Table table({"", ">memory", ">private", ">load", ">first token", ">prefill tok/s [95 %]", ">of peak (linear)",
               ">decode tok/s [95 %]", ">of bandwidth"});
  for (const ModelBench& model : report.models)
    table.row({{shown_name(model, report), Colour::bold},
               {format_bytes(memory_of(model))},
               {format_bytes(model.memory.peak_private_bytes)},
               {format_seconds(model.load_seconds)},
               {format_seconds(model.first_token_seconds.median)},
               {interval(model.prefill)},
               {fmt::format("{:.0f} % ({:.0f} %)", 100 * model.linear.peak_fraction_end_to_end.median,
                            100 * model.linear.peak_fraction.median)},
               {interval(model.decode)},
               {percent(model.decode.bandwidth_fraction)}});
  std::string out = table.render(colour);
  const ModelBench& first = report.models.front();
  for (size_t i = 1; i < report.models.size(); ++i) {
    const ModelBench& model = report.models[i];
    out += fmt::format(
        "=> {}: {:.2f} x memory, {:.2f} x decode speed, {:.2f} x prefill speed of {}\n", shown_name(model, report),
        static_cast<double>(memory_of(model)) / static_cast<double>(memory_of(first)),
        model.decode.tokens_per_second.median / first.decode.tokens_per_second.median,
        model.prefill.tokens_per_second.median / first.prefill.tokens_per_second.median, shown_name(first, report));
  }
  for (const ModelBench& model : report.models)
    if (model.import_seconds > 0)
      out += fmt::format("=> {}: regrouped once in {}, kept for the next time; not part of load\n",
                         shown_name(model, report), format_seconds(model.import_seconds));
  for (const ModelBench& model : report.models) out += verify_line(model, report);
  out += limits_line(report);
  const std::string context =
      report.options.context_tokens > 0 ? fmt::format(" after {} of context", report.options.context_tokens) : "";
  const std::string threads =
      report.options.thread_counts.size() > 1 ? "" : fmt::format(", {} threads", report.threads);
  out += fmt::format("prompt {} tokens, {} generated{}; {}; {}{}; memory = mapped weights + private\n",
                     report.options.prompt_tokens, report.options.decode_tokens, context, activations_of(report),
                     report.isa, threads);
  return out;
}

}  // namespace halftone::cli
