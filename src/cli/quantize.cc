// SPDX-License-Identifier: Apache-2.0
#include "quantize/quantize.h"

#include <fmt/format.h>

#include <optional>

#include "base/error.h"
#include "base/thread_pool.h"
#include "base/units.h"
#include "cli/calibration.h"
#include "cli/mixed_text.h"
#include "cli/quantize_sweep.h"
#include "cli/quantize_text.h"
#include "cli/shell.h"
#include "quantize/calibration/coverage.h"
#include "quantize/calibration/leakage.h"
#include "quantize/mixed/read_mixed.h"
#include "quantize/network/quantize_network.h"

namespace halftone::cli {

namespace {

struct QuantizeArguments {
  std::string model, recipe, output, held_out;
  CalibrationArguments calibration;
  double target_bits = 0;
  std::string max_bytes;
  SweepArguments sweep;
  bool replace = false;
};

constexpr const char* kQuantizeExample = R"(Example:
  $ halftone quantize models/tinyworld -r int4 -o tinyworld-int4.ht
  layout        tensors    weights    bytes  bits/weight  worst error
  f16                 9      2,304  4.61 kB        16.00            -
  int4_block32       29  3,407,872  1.92 MB         4.50        9.6 %
  wrote tinyworld-int4.ht: 1.93 MB, 4.51 bits per weight, in 31 ms
  $ halftone quantize models/tinyworld --sweep -o sweep --calibration models/tinyworld/calibration.txt   (docs/sweep.md)
Presets: fp16 bf16 int8 int8-block int6 int5 int4 int4-block64 int4-block128 int4-channel int3;
  codes with a base per group: intB-affineG, B being 2 3 4 5 6 8, G being 32 64 128;
  palettes: lut8 lut6 lut4 lut3 lut2;
  by data, with --calibration FILE: int8-best int4-best int4-channel-best int3-best lut4-best;
  layouts per tensor, by data: mixed-4.5 mixed-4.0, or --target-bits, --max-bytes;
  static ranges for NPUs, with --calibration FILE: w8a8 w8a16;
  or a YAML recipe (docs/adding/recipe.md).)";

// How much of a text that was held out lies in what calibration saw.
Result<nlohmann::ordered_json> cover(Shell& shell, const QuantizeArguments& arguments, const LanguageModel& model,
                                     const Calibration& calibration, Calibration& held_out, ThreadPool& pool) {
  HALFTONE_ASSIGN(held_out, load_calibration(arguments.held_out, reader_of(model), arguments.calibration.options));
  HALFTONE_TRY(refuse_leakage(find_leakage(calibration.sequences, held_out.sequences),
                              arguments.calibration.file.string(), arguments.held_out));
  const Graph& graph = model.model->graph();
  HALFTONE_ASSIGN(const WeightTable weights, WeightTable::create(graph, model.file));
  HALFTONE_ASSIGN(const CoverageReport report,
                  measure_coverage(graph, weights, calibration.sequences, held_out.sequences, pool));
  shell.print(coverage_text(report));
  return report.to_json();
}

// A target without a recipe is that of the mixed presets.
Result<Recipe> recipe_of(Shell& shell, const QuantizeArguments& arguments) {
  const bool targeted = arguments.target_bits > 0 || !arguments.max_bytes.empty();
  HALFTONE_ASSIGN(Recipe recipe,
                  load_recipe(!arguments.recipe.empty() ? arguments.recipe
                              : targeted                ? "mixed-4.5"
                                                        : "int4",
                              is_network(arguments.model) ? RecipeFor::network : RecipeFor::language_model));
  if (!targeted) return recipe;
  int64_t bytes = 0;
  if (!arguments.max_bytes.empty()) {
    HALFTONE_ASSIGN(bytes, parse_bytes(arguments.max_bytes));
  }
  TargetedRecipe result = with_target(std::move(recipe), arguments.target_bits, bytes);
  if (!result.note.empty()) shell.print(result.note + "\n");
  return std::move(result.recipe);
}

void print_report(Shell& shell, const QuantizeArguments& arguments, const QuantizeReport& report) {
  shell.progress().end();
  shell.print(quantize_table(report, shell.colour()));
  if (report.mixed) shell.print(mixed_text(*report.mixed, shell.colour()));
  if (report.tuned) shell.print(tuned_text(*report.tuned));
  if (report.activations) shell.print(ranges_text(*report.activations));
  shell.print(fmt::format("wrote {}: {}, {:.2f} bits per weight, in {}\n", arguments.output,
                          format_bytes(report.weights_bytes), report.bits_per_weight, format_seconds(report.seconds)));
}

Result<int> run_network(Shell& shell, const QuantizeArguments& arguments, const Recipe& recipe) {
  if (!arguments.held_out.empty())
    return unsupported("[quantize] {}: expected no --held-out for a network: it is of static ranges and texts",
                       arguments.model);
  HALFTONE_ASSIGN(const NetworkFile network, open_network(arguments.model));
  ThreadPool pool(shell.threads > 0 ? shell.threads : available_cores());
  QuantizeOptions options;
  options.replace = arguments.replace;
  HALFTONE_ASSIGN(const auto samples, arrays_of(arguments.calibration, *network.network));
  if (samples) options.samples = &*samples;
  HALFTONE_ASSIGN(const QuantizeReport report,
                  quantize_network(network, recipe, arguments.output, options, pool, shell.progress()));
  print_report(shell, arguments, report);
  HALFTONE_TRY(shell.write_json({{"model", arguments.model},
                                 {"recipe", recipe.name},
                                 {"output", arguments.output},
                                 {"calibration", samples ? samples->to_json() : nlohmann::ordered_json()},
                                 {"threads", pool.threads()},
                                 {"tile_bytes", options.tile_bytes}},
                                report.to_json()));
  return kDone;
}

Result<int> run(Shell& shell, const QuantizeArguments& arguments) {
  if (arguments.sweep.wanted)
    return run_sweep(shell, arguments.model, arguments.output, arguments.calibration, arguments.sweep);
  HALFTONE_ASSIGN(const Recipe recipe, recipe_of(shell, arguments));
  if (is_network(arguments.model)) return run_network(shell, arguments, recipe);
  HALFTONE_ASSIGN(const auto model, load_language_model(arguments.model));
  ThreadPool pool(shell.threads > 0 ? shell.threads : available_cores());
  QuantizeOptions options;
  options.replace = arguments.replace;
  HALFTONE_ASSIGN(const auto calibration,
                  calibration_of(*model, arguments.calibration.file, arguments.calibration.options));
  if (calibration) options.calibration = &calibration->sequences;
  nlohmann::ordered_json coverage;
  Calibration held_out;
  if (!arguments.held_out.empty()) {
    HALFTONE_ASSIGN(coverage, cover(shell, arguments, *model, *calibration, held_out, pool));
    options.held_out = &held_out.sequences;
  }
  HALFTONE_ASSIGN(const QuantizeReport report,
                  quantize(*model, recipe, arguments.output, options, pool, shell.progress()));
  print_report(shell, arguments, report);
  nlohmann::ordered_json results = report.to_json();
  if (!coverage.is_null()) results["coverage"] = std::move(coverage);
  HALFTONE_TRY(shell.write_json({{"model", arguments.model},
                                 {"recipe", recipe.name},
                                 {"output", arguments.output},
                                 {"calibration", calibration ? calibration->to_json() : nlohmann::ordered_json()},
                                 {"threads", pool.threads()},
                                 {"tile_bytes", options.tile_bytes}},
                                std::move(results)));
  return kDone;
}

}  // namespace

void add_quantize(CLI::App& app, Shell& shell) {
  const auto arguments = std::make_shared<QuantizeArguments>();
  CLI::App* verb = shell.verb(app, "quantize", "model and recipe to an artifact", kQuantizeExample,
                              [&shell, arguments] { return run(shell, *arguments); });
  verb->add_option("MODEL", arguments->model, "model folder, or file of a network")->required();
  verb->add_option("-r,--recipe", arguments->recipe, "preset name or YAML file [int4]");
  verb->add_option("-o,--output", arguments->output, "artifact folder to write")->required();
  add_calibration(verb, arguments->calibration);
  verb->add_option("--target-bits", arguments->target_bits,
                   "bits per weight of the whole model: layouts are chosen per tensor by measurement")
      ->check(CLI::Range(1.0, 32.0));
  verb->add_option("--max-bytes", arguments->max_bytes, "the same for the bytes of weights.safetensors, with unit")
      ->type_name("3.5MB")
      ->excludes("--target-bits");
  verb->add_option("--held-out", arguments->held_out,
                   "text like what the model will see: says how much of it calibration covers")
      ->needs("--calibration");
  verb->add_flag("--replace", arguments->replace, "replace an existing artifact");
  add_sweep(verb, arguments->sweep);
}

}  // namespace halftone::cli
