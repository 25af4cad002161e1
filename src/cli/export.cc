// SPDX-License-Identifier: Apache-2.0
#include "export/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/units.h"
#include "cli/shell.h"
#include "cli/table.h"

namespace halftone::cli {

namespace {

struct ExportArguments {
  std::string model, container = "gguf", type = "stored", tokenizer = "own", output;
  ExportOptions options;
};

constexpr const char* kExportExample = R"(Example:
  $ halftone export tinyworld-int4.ht --to gguf -o tinyworld-q4_0.gguf
  type  tensors    weights    bytes  numbers    worst error
  f32         9      2,304  9.22 kB  bit-exact            -
  q4_0       29  3,407,872  1.92 MB  bit-exact            -
  wrote tinyworld-q4_0.gguf: llama, 1.98 MB in 42 ms, read back and compared with the source
Every number is read back: bit-exact; rounding only (f16, bf16: half a unit in the last place); quantized (float weights to
q8_0 or q4_0, as asked); re-quantized (a second loss, only with --allow-requantize).)";

struct TypeSum {
  int64_t tensors = 0, elements = 0, bytes = 0;
  double worst = 0;
};

std::string export_table(const ExportReport& report, bool colour) {
  std::map<std::pair<std::string, Fidelity>, TypeSum> sums;
  for (const ExportedTensor& tensor : report.tensors) {
    TypeSum& sum = sums[{tensor.type, tensor.fidelity}];
    sum.tensors += 1;
    sum.elements += tensor.elements;
    sum.bytes += tensor.bytes;
    sum.worst = std::max(sum.worst, tensor.relative_rms_error);
  }
  Table table({"type", ">tensors", ">weights", ">bytes", "numbers", ">worst error"});
  for (const auto& [key, sum] : sums) {
    const Colour paint = key.second == Fidelity::bit_exact     ? Colour::green
                         : key.second == Fidelity::requantized ? Colour::yellow
                                                               : Colour::none;
    table.row({{key.first},
               {format_count(sum.tensors)},
               {format_count(sum.elements)},
               {format_bytes(sum.bytes)},
               {std::string(name_of(key.second)), paint},
               {sum.worst > 0 ? fmt::format("{:.2g} %", 100 * sum.worst) : "-"}});
  }
  return table.render(colour);
}

Result<int> run_export(Shell& shell, const ExportArguments& arguments) {
  ExportOptions options = arguments.options;
  if (arguments.tokenizer == "none") options.tokenizer = ExportTokenizer::none;
  if (arguments.tokenizer == "stand-in") options.tokenizer = ExportTokenizer::stand_in;
  if (arguments.type != "stored") options.type = find_ggml_type(arguments.type);
  HALFTONE_ASSIGN(const auto model, load_language_model(arguments.model));
  ThreadPool pool(shell.threads > 0 ? shell.threads : available_cores());
  HALFTONE_ASSIGN(const ExportReport report, export_gguf(*model, arguments.output, options, pool, shell.progress()));
  shell.progress().end();
  shell.print(export_table(report, shell.colour()));
  for (const std::string& note : report.notes) shell.print(fmt::format("note: {}\n", note));
  shell.print(fmt::format("wrote {}: {}, {} in {}, read back and compared with the source\n", arguments.output,
                          report.architecture, format_bytes(report.file_bytes), format_seconds(report.seconds)));
  HALFTONE_TRY(shell.write_json({{"model", arguments.model},
                                 {"to", arguments.container},
                                 {"type", arguments.type},
                                 {"output", arguments.output},
                                 {"allow_requantize", options.allow_requantize},
                                 {"allow_float", options.allow_float},
                                 {"tokenizer", arguments.tokenizer},
                                 {"threads", pool.threads()}},
                                report.to_json()));
  return kDone;
}

}  // namespace

void add_export(CLI::App& app, Shell& shell) {
  const auto arguments = std::make_shared<ExportArguments>();
  CLI::App* verb = shell.verb(app, "export", "write the file of another runtime, read it back and compare",
                              kExportExample, [&shell, arguments] { return run_export(shell, *arguments); });
  verb->add_option("MODEL", arguments->model, "model folder")->required();
  verb->add_option("--to", arguments->container, "gguf, for llama.cpp and its kin")
      ->check(CLI::IsMember({"gguf"}))
      ->capture_default_str();
  verb->add_option("--type", arguments->type, "of all matrices: stored (as they are), f32, f16, bf16, q8_0, q4_0")
      ->check(CLI::IsMember({"stored", "f32", "f16", "bf16", "q8_0", "q4_0"}))
      ->capture_default_str();
  verb->add_option("-o,--output", arguments->output, "file to write")->required();
  verb->add_flag("--allow-requantize", arguments->options.allow_requantize,
                 "quantize weights a second time where the type cannot hold them");
  verb->add_flag("--allow-float", arguments->options.allow_float, "matrices whose rows fit no block become f16");
  verb->add_option("--tokenizer", arguments->tokenizer,
                   "own, none, or stand-in: bytes and unused ids, for random weights")
      ->check(CLI::IsMember({"own", "none", "stand-in"}))
      ->capture_default_str();
  verb->add_flag("--replace", arguments->options.replace, "replace an existing file");
}

}  // namespace halftone::cli
