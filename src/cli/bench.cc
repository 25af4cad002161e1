// SPDX-License-Identifier: Apache-2.0
#include "bench/bench.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/units.h"
#include "cli/bench_table.h"
#include "cli/shell.h"

namespace halftone::cli {

namespace {

struct BenchArguments {
  std::vector<std::string> models;
  std::string activations = "int8";
  BenchOptions options;
};

constexpr const char* kBenchExample = R"(Example:
  $ halftone bench llama-fp16.ht llama-int4.ht --prompt-tokens 128
               memory  private   load  first token  prefill tok/s [95 %]  decode tok/s [95 %]  of bandwidth
  llama-fp16  2.53 GB  58.0 MB  61 ms        2.1 s     62.3 [61.0, 63.9]       9.8 [9.7, 9.9]          92 %
  llama-int4   755 MB  58.1 MB  20 ms        0.7 s        199 [195, 203]    28.4 [27.9, 28.8]          81 %
  => llama-int4: 0.30 x memory, 2.90 x decode speed, 3.19 x prefill speed of llama-fp16
  prompt 128 tokens, 64 generated; activations: llama-fp16 exact, llama-int4 int8; avx512, 2 threads; ...)";

Result<int> run(Shell& shell, BenchArguments arguments) {
  HALFTONE_ASSIGN(arguments.options.activations, parse_activations(arguments.activations));
  arguments.options.threads = shell.threads;
  const std::vector<std::filesystem::path> paths(arguments.models.begin(), arguments.models.end());
  HALFTONE_ASSIGN(const BenchReport report, bench(paths, arguments.options, shell.progress()));
  shell.progress().end();
  shell.print(bench_table(report, shell.colour()));
  for (const std::string& warning : report.warnings) shell.note("warning: " + warning);
  HALFTONE_TRY(shell.write_json(report.settings_json(), report.to_json()));
  return kDone;
}

}  // namespace

void add_bench(CLI::App& app, Shell& shell) {
  const auto arguments = std::make_shared<BenchArguments>();
  BenchOptions& options = arguments->options;
  CLI::App* verb = shell.verb(app, "bench", "load, first token, prefill, decode, memory; models interleaved",
                              kBenchExample, [&shell, arguments] { return run(shell, *arguments); });
  verb->add_option("MODEL", arguments->models, "model folders, compared with the first")->required();
  verb->add_option("--prompt-tokens", options.prompt_tokens, "length of the prompt")->capture_default_str();
  verb->add_option("--decode-tokens", options.decode_tokens, "tokens generated after it")->capture_default_str();
  verb->add_option("--rounds", options.rounds, "measured rounds; 6 carry a 95 % interval")->capture_default_str();
  verb->add_flag("--allow-noisy", options.allow_noisy,
                 "measure even on a loaded machine or an unoptimised build, and say so");
  add_activations(verb, arguments->activations);
}

}  // namespace halftone::cli
