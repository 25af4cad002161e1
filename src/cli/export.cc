// SPDX-License-Identifier: Apache-2.0
#include "export/export.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/units.h"
#include "cli/shell.h"
#include "cli/table.h"
#include "export/mlx.h"

namespace halftone::cli {

namespace {

struct ExportArguments {
  std::string model, container = "gguf", type = "stored", tokenizer = "own", output;
  int bits = 0;
  int64_t group = 64;
  ExportOptions options;
};

constexpr const char* kExportExample = R"(Example:
  $ halftone export tinyworld-int4.ht --to gguf -o tinyworld-q4_0.gguf
  type  tensors    weights    bytes  numbers    worst error
  f32         9      2,304  9.22 kB  bit-exact            -
  q4_0       29  3,407,872  1.92 MB  bit-exact            -
  wrote tinyworld-q4_0.gguf: llama, 1.98 MB in 42 ms, read back and compared with the source
Every number is read back: bit-exact; rounding only (f16, bf16: half a unit in the last place); quantized (float weights to
a type that was asked for); re-quantized (a second loss, only with --allow-requantize).)";

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

Result<ExportReport> write_container(const LanguageModel& model, const ExportArguments& arguments, ThreadPool& pool,
                                     Progress& progress) {
  ExportOptions options = arguments.options;
  if (arguments.container == "mlx") {
    if (arguments.type != "stored")
      return invalid_input("[export] --type: expected --bits and --group for MLX, got {}", arguments.type);
    return export_mlx(model, arguments.output,
                      {arguments.bits, arguments.group, options.allow_requantize, options.allow_float, options.replace},
                      pool, progress);
  }
  if (arguments.bits != 0)
    return invalid_input("[export] --bits: expected --type for GGUF, got {} bits", arguments.bits);
  if (arguments.tokenizer == "none") options.tokenizer = ExportTokenizer::none;
  if (arguments.tokenizer == "stand-in") options.tokenizer = ExportTokenizer::stand_in;
  if (arguments.type != "stored") options.type = find_ggml_type(arguments.type);
  return export_gguf(model, arguments.output, options, pool, progress);
}

Result<int> run_export(Shell& shell, const ExportArguments& arguments) {
  HALFTONE_ASSIGN(const auto model, load_language_model(arguments.model));
  ThreadPool pool(shell.threads > 0 ? shell.threads : available_cores());
  HALFTONE_ASSIGN(const ExportReport report, write_container(*model, arguments, pool, shell.progress()));
  shell.progress().end();
  shell.print(export_table(report, shell.colour()));
  for (const std::string& note : report.notes) shell.print(fmt::format("note: {}\n", note));
  shell.print(fmt::format("wrote {}: {}, {} in {}, read back and compared with the source\n", arguments.output,
                          report.architecture, format_bytes(report.file_bytes), format_seconds(report.seconds)));
  HALFTONE_TRY(shell.write_json({{"model", arguments.model},
                                 {"to", arguments.container},
                                 {"type", arguments.type},
                                 {"output", arguments.output},
                                 {"bits", arguments.bits},
                                 {"group", arguments.group},
                                 {"allow_requantize", arguments.options.allow_requantize},
                                 {"allow_float", arguments.options.allow_float},
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
  verb->add_option("--to", arguments->container, "gguf, a file for llama.cpp and its kin; mlx, a folder for mlx-lm")
      ->check(CLI::IsMember({"gguf", "mlx"}))
      ->capture_default_str();
  verb->add_option(
          "--type", arguments->type,
          "GGUF, of all matrices: stored (as they are), f32, f16, bf16, q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, q4_1, q4_0")
      ->check(CLI::IsMember(
          {"stored", "f32", "f16", "bf16", "q8_0", "q6_k", "q5_k", "q5_1", "q5_0", "q4_k", "q4_1", "q4_0"}))
      ->capture_default_str();
  verb->add_option("--bits", arguments->bits, "MLX, of all matrices: 2, 3, 4, 5, 6 or 8; 0: as they are stored")
      ->check(CLI::IsMember({0, 2, 3, 4, 5, 6, 8}))
      ->capture_default_str();
  verb->add_option("--group", arguments->group, "MLX, columns that share a scale, with --bits")
      ->check(CLI::IsMember({32, 64, 128}))
      ->capture_default_str();
  verb->add_option("-o,--output", arguments->output, "file or folder to write")->required();
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
