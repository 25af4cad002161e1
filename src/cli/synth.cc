// SPDX-License-Identifier: Apache-2.0
#include "models/synth.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"
#include "cli/shell.h"
#include "models/language_model.h"
#include "models/shapes/shapes.h"
#include "quantize/transform/outliers.h"

namespace halftone::cli {

namespace {

struct SynthArguments {
  std::string shape, output, type = "bf16";
  SynthOptions options;
  OutlierOptions outliers;
  bool stress = false;  // SHAPE is a model folder that gets outliers
  int64_t samples = 4000;
};

constexpr const char* kSynthExample = R"(Example:
  $ halftone synth llama-3.2-1b -o /tmp/llama-1b
  wrote /tmp/llama-1b: llama-3.2-1b, 1,235,814,400 random weights, 2.47 GB
Random weights: memory and speed only; what such a model says means nothing.
  $ halftone synth models/tinyworld --outliers 0.005 -o stressed
  wrote stressed: 16 groups, 16 channels scaled by 32, 11.3 MB
The same function with outlier channels, which round-to-nearest does badly at: a test of methods, never evidence.
  $ halftone synth shapes --samples 4000 --seed 2 -o pictures
  wrote pictures: 4,000 pictures of 64 classes, 19.2 MB
Pictures of the task that models/shapes was trained on, drawn from the seed.)";

std::string shape_names() {
  std::string names;
  for (const SynthShape& shape : synth_shapes()) names += (names.empty() ? "" : " ") + std::string(shape.name);
  return names;
}

Result<int> run_outliers(Shell& shell, const SynthArguments& arguments) {
  OutlierOptions options = arguments.outliers;
  options.seed = arguments.options.seed;
  options.replace = arguments.options.replace;
  HALFTONE_ASSIGN(const auto model, load_language_model(arguments.shape));
  ThreadPool pool(shell.threads > 0 ? shell.threads : available_cores());
  HALFTONE_ASSIGN(const OutlierReport report,
                  write_outliers(*model, arguments.output, options, pool, shell.progress()));
  for (const std::string& one : report.left_out) shell.print("left out: " + one + "\n");
  shell.print(fmt::format("wrote {}: {} groups, {} channels scaled by {}, {}\n", report.path.string(), report.groups,
                          report.channels, report.factor, format_bytes(report.bytes)));
  HALFTONE_TRY(shell.write_json({{"model", arguments.shape},
                                 {"output", arguments.output},
                                 {"outliers", options.fraction},
                                 {"factor", report.factor},
                                 {"seed", options.seed}},
                                {{"groups", report.groups},
                                 {"channels", report.channels},
                                 {"left_out", report.left_out},
                                 {"bytes", report.bytes}}));
  return kDone;
}

Result<int> run_shapes(Shell& shell, const SynthArguments& arguments) {
  ThreadPool pool(shell.threads > 0 ? shell.threads : available_cores());
  HALFTONE_ASSIGN(const shapes::SetReport report,
                  shapes::write_set(arguments.output, arguments.samples, arguments.options.seed,
                                    arguments.options.replace, pool, shell.progress()));
  shell.print(fmt::format("wrote {}: {} pictures of {} classes, {}\n", report.path.string(),
                          format_count(report.pictures), shapes::kClasses, format_bytes(report.bytes)));
  HALFTONE_TRY(
      shell.write_json({{"output", arguments.output}, {"samples", report.pictures}, {"seed", arguments.options.seed}},
                       {{"pictures", report.pictures}, {"classes", shapes::kClasses}, {"bytes", report.bytes}}));
  return kDone;
}

Result<int> run(Shell& shell, const SynthArguments& arguments) {
  if (arguments.shape == "shapes") return run_shapes(shell, arguments);
  if (arguments.stress) return run_outliers(shell, arguments);
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
  verb->add_option("SHAPE", arguments->shape,
                   shape_names() + "; shapes: pictures with labels; with --outliers a model folder")
      ->required();
  verb->add_option("-o,--output", arguments->output, "folder to write")->required();
  CLI::Option* type = verb->add_option("--type", arguments->type, "f16, bf16 or f32")
                          ->check(CLI::IsMember({"f16", "bf16", "f32"}))
                          ->capture_default_str();
  CLI::Option* layers = verb->add_option("--layers", arguments->options.layers, "instead of the shape's own number");
  CLI::Option* outliers = verb->add_option_function<double>(
      "--outliers",
      [arguments](const double& fraction) {
        arguments->outliers.fraction = fraction;
        arguments->stress = true;
      },
      "give this share of a model's channels outliers, without a change of its function");
  outliers->excludes(type)->excludes(layers);
  verb->add_option("--factor", arguments->outliers.factor, "of outliers; the nearest power of two is taken")
      ->needs(outliers)
      ->capture_default_str();
  verb->add_option("--samples", arguments->samples, "pictures of shapes")->capture_default_str();
  verb->add_option("--seed", arguments->options.seed, "the same seed gives the same bytes")->capture_default_str();
  verb->add_flag("--replace", arguments->options.replace, "replace an existing folder");
}

}  // namespace halftone::cli
