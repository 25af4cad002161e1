// SPDX-License-Identifier: Apache-2.0
#include "quantize/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/thread_pool.h"
#include "base/units.h"
#include "cli/shell.h"
#include "cli/table.h"

namespace halftone::cli {

namespace {

struct QuantizeArguments {
  std::string model, recipe = "int4", output;
  bool replace = false;
};

constexpr const char* kQuantizeExample = R"(Example:
  $ halftone quantize models/tinyworld -r int4 -o tinyworld-int4.ht
  layout        tensors    weights    bytes  bits/weight  worst error
  f16                 9      2,304  4.61 kB        16.00            -
  int4_block32       29  3,407,872  1.92 MB         4.50        9.6 %
  wrote tinyworld-int4.ht: 1.93 MB, 4.51 bits per weight, in 31 ms
Presets: fp16 bf16 int8 int8-block int6 int5 int4 int4-block64 int4-block128 int4-channel int3;
  codes with a base per group: intB-affineG, B being 2 3 4 5 6 8, G being 32 64 128;
  or a YAML recipe (docs/adding/recipe.md).)";

struct LayoutSum {
  int64_t tensors = 0, elements = 0, bytes = 0;
  double worst = 0;
};

std::string summary(const QuantizeReport& report, bool colour) {
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

Result<int> run(Shell& shell, const QuantizeArguments& arguments) {
  HALFTONE_ASSIGN(const Recipe recipe, load_recipe(arguments.recipe));
  HALFTONE_ASSIGN(const auto model, load_language_model(arguments.model));
  ThreadPool pool(shell.threads > 0 ? shell.threads : available_cores());
  QuantizeOptions options;
  options.replace = arguments.replace;
  HALFTONE_ASSIGN(const QuantizeReport report,
                  quantize(*model, recipe, arguments.output, options, pool, shell.progress()));
  shell.progress().end();
  shell.print(summary(report, shell.colour()));
  shell.print(fmt::format("wrote {}: {}, {:.2f} bits per weight, in {}\n", arguments.output,
                          format_bytes(report.weights_bytes), report.bits_per_weight, format_seconds(report.seconds)));
  HALFTONE_TRY(shell.write_json({{"model", arguments.model},
                                 {"recipe", recipe.name},
                                 {"output", arguments.output},
                                 {"threads", pool.threads()},
                                 {"tile_bytes", options.tile_bytes}},
                                report.to_json()));
  return kDone;
}

}  // namespace

void add_quantize(CLI::App& app, Shell& shell) {
  const auto arguments = std::make_shared<QuantizeArguments>();
  CLI::App* verb = shell.verb(app, "quantize", "model and recipe to an artifact", kQuantizeExample,
                              [&shell, arguments] { return run(shell, *arguments); });
  verb->add_option("MODEL", arguments->model, "model folder")->required();
  verb->add_option("-r,--recipe", arguments->recipe, "preset name or YAML file")->capture_default_str();
  verb->add_option("-o,--output", arguments->output, "artifact folder to write")->required();
  verb->add_flag("--replace", arguments->replace, "replace an existing artifact");
}

}  // namespace halftone::cli
