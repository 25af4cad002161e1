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

std::string short_name(const std::string& path) {
  std::filesystem::path folder(path);
  if (folder.filename().empty()) folder = folder.parent_path();
  const std::string name = folder.extension() == ".ht" ? folder.stem().string() : folder.filename().string();
  return name.empty() ? path : name;
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

}  // namespace

std::string bench_table(const BenchReport& report, bool colour) {
  Table table({"", ">memory", ">private", ">load", ">first token", ">prefill tok/s [95 %]", ">decode tok/s [95 %]",
               ">of bandwidth"});
  for (const ModelBench& model : report.models)
    table.row({{short_name(model.model), Colour::bold},
               {format_bytes(memory_of(model))},
               {format_bytes(model.memory.peak_private_bytes)},
               {format_seconds(model.load_seconds)},
               {format_seconds(model.first_token_seconds.median)},
               {interval(model.prefill)},
               {interval(model.decode)},
               {fmt::format("{:.0f} %", 100 * model.decode.bandwidth_fraction)}});
  std::string out = table.render(colour);
  const ModelBench& first = report.models.front();
  for (size_t i = 1; i < report.models.size(); ++i) {
    const ModelBench& model = report.models[i];
    out += fmt::format(
        "=> {}: {:.2f} x memory, {:.2f} x decode speed, {:.2f} x prefill speed of {}\n", short_name(model.model),
        static_cast<double>(memory_of(model)) / static_cast<double>(memory_of(first)),
        model.decode.tokens_per_second.median / first.decode.tokens_per_second.median,
        model.prefill.tokens_per_second.median / first.prefill.tokens_per_second.median, short_name(first.model));
  }
  out += fmt::format("prompt {} tokens, {} generated; {}; {}, {} threads; memory = mapped weights + private\n",
                     report.options.prompt_tokens, report.options.decode_tokens, activations_of(report), report.isa,
                     report.threads);
  return out;
}

}  // namespace halftone::cli
