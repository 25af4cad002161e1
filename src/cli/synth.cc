// SPDX-License-Identifier: Apache-2.0
#include "models/synth.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"
#include "cli/shell.h"

namespace halftone::cli {

namespace {

struct SynthArguments {
  std::string shape, output, type = "bf16";
  SynthOptions options;
};

constexpr const char* kSynthExample = R"(Example:
  $ halftone synth llama-3.2-1b -o /tmp/llama-1b
  wrote /tmp/llama-1b: llama-3.2-1b, 1,235,814,400 random weights, 2.47 GB
Random weights: memory and speed only; what such a model says means nothing.)";

std::string shape_names() {
  std::string names;
  for (const SynthShape& shape : synth_shapes()) names += (names.empty() ? "" : " ") + std::string(shape.name);
  return names;
}

Result<int> run(Shell& shell, const SynthArguments& arguments) {
  SynthOptions options = arguments.options;
  options.threads = shell.threads;
  options.type = arguments.type == "f16" ? DType::f16 : arguments.type == "f32" ? DType::f32 : DType::bf16;
  HALFTONE_ASSIGN(const SynthReport report, synth(arguments.shape, arguments.output, options, shell.progress()));
  shell.progress().end();
  shell.print(fmt::format("wrote {}: {}, {} random weights, {}\n", report.path.string(), arguments.shape,
                          format_count(report.parameters), format_bytes(report.bytes)));
  HALFTONE_TRY(shell.write_json(
      {{"shape", arguments.shape}, {"output", arguments.output}, {"type", arguments.type}, {"seed", options.seed}},
      {{"tensors", report.tensors}, {"parameters", report.parameters}, {"bytes", report.bytes}}));
  return kDone;
}

}  // namespace

void add_synth(CLI::App& app, Shell& shell) {
  const auto arguments = std::make_shared<SynthArguments>();
  CLI::App* verb = shell.verb(app, "synth", "a model folder of a real shape with random weights", kSynthExample,
                              [&shell, arguments] { return run(shell, *arguments); });
  verb->add_option("SHAPE", arguments->shape, shape_names())->required();
  verb->add_option("-o,--output", arguments->output, "folder to write")->required();
  verb->add_option("--type", arguments->type, "f16, bf16 or f32")
      ->check(CLI::IsMember({"f16", "bf16", "f32"}))
      ->capture_default_str();
  verb->add_option("--layers", arguments->options.layers, "instead of the shape's own number");
  verb->add_option("--seed", arguments->options.seed, "the same seed gives the same bytes")->capture_default_str();
  verb->add_flag("--replace", arguments->options.replace, "replace an existing folder");
}

}  // namespace halftone::cli
