// SPDX-License-Identifier: Apache-2.0
#include "bench/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/units.h"
#include "bench/latency.h"
#include "bench/page/profile_page.h"
#include "cli/bench_table.h"
#include "cli/figures.h"
#include "cli/shell.h"
#include "cli/table.h"
#include "device/limits.h"
#include "formats/network/network_file.h"

namespace halftone::cli {

namespace {

struct BenchArguments {
  std::vector<std::string> models;
  std::string activations = "auto", kv = "f16", page;
  bool probe = false;
  BenchOptions options;
};

constexpr const char* kBenchExample = R"(Example:
  $ halftone bench models/tinyworld tinyworld-int4.ht --prompt-tokens 128 --decode-tokens 32 --rounds 3
                   memory  private    load  first token     prefill tok/s [95 %]  of peak (linear)   decode tok/s [95 %]   of bandwidth
  tinyworld       11.6 MB  4.73 MB  2.7 ms       6.4 ms  20,123 [19,995, 21,563]       36 % (47 %)  2,764 [2,629, 2,767]  67 % [62, 77]
  tinyworld-int4  6.86 MB  4.94 MB  2.4 ms       3.6 ms  35,525 [25,872, 37,609]       15 % (25 %)  7,616 [7,499, 8,059]  40 % [38, 70]
  => tinyworld-int4: 0.59 x memory, 2.76 x decode speed, 1.77 x prefill speed of tinyworld
  limits measured beside it: read 42.2 GB/s; 8-bit dot 1.40, bf16 dot 0.16, f32 FMA 0.34 Top/s
  ...
  $ halftone bench llama-int4.ht --context 8192 --threads 1,2 --verify 4,8
  $ halftone bench llama-int4.ht --profile --profile-page where.html
  $ halftone bench --probe        # the limits of this machine, measured anew and kept for comparison)";

Result<int> run_probe(Shell& shell) {
  const MachineLimits limits = measure_limits();
  shell.print(limits_table(limits, shell.colour()));
  const auto file = store_limits(limits);
  shell.note(file.ok() ? "kept in " + file->string() : "warning: not kept: " + std::string(file.status().message()));
  HALFTONE_TRY(shell.write_json({{"probe", true}}, {{"limits", to_json(limits)}}));
  return kDone;
}

std::string network_table(const NetworkBenchReport& report, bool colour) {
  Table table({"", ">file", ">private", ">load", ">one sample", ">samples/s [95 %]"});
  for (const NetworkBench& model : report.models) {
    const MedianInterval& speed = model.samples_per_second;
    table.row({{std::filesystem::path(model.model).stem().string(), Colour::bold},
               {format_bytes(model.memory.weights_bytes)},
               {format_bytes(model.memory.peak_private_bytes)},
               {format_seconds(model.load_seconds)},
               {format_seconds(model.latency_seconds.median)},
               {fmt::format("{} [{}, {}]", rate(speed.median), rate(speed.low), rate(speed.high))}});
  }
  return table.render(colour);
}

Result<int> run_networks(Shell& shell, const BenchArguments& arguments,
                         const std::vector<std::filesystem::path>& paths) {
  HALFTONE_ASSIGN(const NetworkBenchReport report, bench_networks(paths, arguments.options, shell.progress()));
  shell.progress().end();
  shell.print(network_table(report, shell.colour()));
  for (const std::string& warning : report.warnings) shell.note("warning: " + warning);
  HALFTONE_TRY(shell.write_json(report.settings_json(), report.to_json()));
  return kDone;
}

Result<int> run(Shell& shell, BenchArguments arguments) {
  if (arguments.probe) return run_probe(shell);
  if (arguments.models.empty()) {
    shell.note("halftone: bench: expected MODEL or --probe; `halftone bench --help` shows examples");
    return kBadUsage;
  }
  HALFTONE_ASSIGN(arguments.options.activations, parse_activations(arguments.activations));
  HALFTONE_ASSIGN(arguments.options.kv, kv_type_from_name(arguments.kv));
  arguments.options.threads = shell.threads;
  arguments.options.profile = arguments.options.profile || !arguments.page.empty();
  const std::vector<std::filesystem::path> paths(arguments.models.begin(), arguments.models.end());
  const auto networks = std::count_if(paths.begin(), paths.end(), is_network);
  if (networks == static_cast<std::ptrdiff_t>(paths.size())) return run_networks(shell, arguments, paths);
  if (networks > 0)
    return invalid_input("[bench] expected models of one kind, got networks and language models; measure them apart");
  HALFTONE_ASSIGN(const BenchReport report, bench(paths, arguments.options, shell.progress()));
  shell.progress().end();
  shell.print(bench_table(report, shell.colour()));
  if (report.options.profile) shell.print(profile_tables(report, shell.colour()));
  for (const std::string& warning : report.warnings) shell.note("warning: " + warning);
  if (!arguments.page.empty()) {
    HALFTONE_TRY(write_file_atomic(arguments.page, render_profile_page(report)));
    shell.note("wrote " + arguments.page);
  }
  HALFTONE_TRY(shell.write_json(report.settings_json(), report.to_json()));
  return kDone;
}

}  // namespace

void add_bench(CLI::App& app, Shell& shell) {
  const auto arguments = std::make_shared<BenchArguments>();
  BenchOptions& options = arguments->options;
  CLI::App* verb = shell.verb(app, "bench", "load, first token, prefill, decode, memory; models interleaved",
                              kBenchExample, [&shell, arguments] { return run(shell, *arguments); });
  CLI::Option* models = verb->add_option("MODEL", arguments->models, "model folders, compared with the first");
  verb->add_option("--prompt-tokens", options.prompt_tokens, "length of the prompt")->capture_default_str();
  verb->add_option("--decode-tokens", options.decode_tokens, "tokens generated after it")->capture_default_str();
  verb->add_option("--context", options.context_tokens, "tokens held before decoding is measured (the prompt's)");
  verb->add_option("--verify", options.verify_tokens, "cost of 2,4,8 tokens at once over that of one")
      ->delimiter(',')
      ->allow_extra_args(false);
  // Hides the option of all verbs, which takes one count.
  verb->add_option("--threads", options.thread_counts, "thread count, or several to compare: 1,2")
      ->delimiter(',')
      ->allow_extra_args(false);
  verb->add_option("--rounds", options.rounds, "measured rounds; 6 carry a 95 % interval")->capture_default_str();
  verb->add_flag("--profile", options.profile, "time per kind of step, for prefill and decode");
  verb->add_option("--profile-page", arguments->page, "the same as a self-contained page")->type_name("FILE.html");
  CLI::Option* probe = verb->add_flag("--probe", arguments->probe, "measure this machine's limits anew, no model");
  verb->add_flag("--allow-noisy", options.allow_noisy,
                 "measure even on a loaded machine or an unoptimised build, and say so");
  add_activations(verb, arguments->activations);
  add_kv(verb, arguments->kv);
  models->excludes(probe);
}

}  // namespace halftone::cli
