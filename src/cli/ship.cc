// SPDX-License-Identifier: Apache-2.0
#include "ship/ship.h"

#include <fmt/format.h>

#include "base/units.h"
#include "cli/calibration.h"
#include "cli/shell.h"
#include "cli/ship_table.h"
#include "device/machine.h"
#include "kernels/isa.h"

namespace halftone::cli {

namespace {

struct ShipArguments {
  ShipOptions options;
  CalibrationArguments calibration;
  std::string max_bytes, max_memory, min_decode, activations = "auto";
};

constexpr const char* kShipExample = R"(Example:
  $ halftone ship models/tinyworld -o out/tinyworld.ht
  Gate, fixed first: choice_accuracy.loss <= 1 points; choice_accuracy.loss <= 3 points on exposure=rare; ...
  Deciding on 3,616 samples; 7,246 others stay sealed.

  recipe          MB  points vs float [95 %]  rare loss  confident flips  decode tok/s   memory  verdict
  float16       6.82                  85.9 %                                     2,593  16.6 MB  reference
  int8          3.46       -0.0 [-0.3, +0.2]        0.0            0.0 %         5,388  13.4 MB  pass, smallest
  int4          1.93       -0.9 [-1.6, -0.2]        0.1           0.08 %         7,526  11.9 MB  inconclusive
  int4-channel  1.76       -2.8 [-3.7, -2.0]        6.3            0.3 %         8,463  11.8 MB  FAIL
  int3          1.50       -5.0 [-6.1, -4.0]        7.9            1.9 %         7,754  12.5 MB  FAIL
  ...
  Sealed 7,246 questions, opened once: int8 -0.1 [-0.3, +0.1]  PASS
  Wrote out/tinyworld.ht, with evidence/report.html and samples.jsonl
  $ halftone ship ~/my-model --text my_prompts.txt --calibration other_text.txt --max-bytes 1.2GB
Exit codes: 0 an artifact ships, 3 the gate fails, 4 too few samples to tell.)";

int exit_code(Verdict verdict) {
  return verdict == Verdict::pass ? kDone : verdict == Verdict::fail ? kGateFailed : kInconclusive;
}

void print_fixed(Shell& shell, const nlohmann::ordered_json& fixed) {
  std::string checks;
  for (const auto& check : fixed["gate"]["checks"]) checks += (checks.empty() ? "" : "; ") + check.get<std::string>();
  int64_t decide = 0, sealed = 0;
  for (const auto& suite : fixed["suites"])
    for (const auto& part : suite["parts"])
      (part["split"] == "confirm" ? sealed : decide) += part["samples"].get<int64_t>();
  shell.progress().end();
  shell.print(fmt::format("Gate, fixed first: {}\n", checks));
  shell.print(sealed > 0 ? fmt::format("Deciding on {} samples; {} others stay sealed.\n\n", format_count(decide),
                                       format_count(sealed))
                         : fmt::format("Deciding on {} samples: too few to set some aside.\n\n", format_count(decide)));
}

void print_outcome(Shell& shell, const ShipOutcome& outcome) {
  shell.progress().end();
  shell.print(ship_table(outcome.report, shell.colour()));
  shell.print("\n=> " + outcome.report["results"]["decision"]["sentence"].get<std::string>() + "\n");
  std::string missing;
  for (const auto& line : outcome.report["results"]["not_measured"])
    missing += (missing.empty() ? "" : "; ") + line.get<std::string>().substr(0, line.get<std::string>().find(':'));
  shell.print("Not measured: " + missing + ".\n\n");
  if (!outcome.artifact.empty())
    shell.print(fmt::format("Wrote {}, with evidence/report.html and samples.jsonl\n", outcome.artifact.string()));
  else
    shell.print(fmt::format("Wrote no artifact; the evidence is {}/report.html\n", outcome.evidence.string()));
  shell.print(fmt::format("Check us:  halftone recheck {}\n", outcome.evidence.string()));
  for (const auto& warning : outcome.report["results"]["warnings"])
    shell.note("warning: " + warning.get<std::string>());
}

Status read_limits(const ShipArguments& arguments, ShipOptions& options) {
  if (!arguments.max_bytes.empty()) {
    HALFTONE_ASSIGN(options.max_bytes, parse_bytes(arguments.max_bytes));
  }
  if (!arguments.max_memory.empty()) {
    HALFTONE_ASSIGN(options.max_memory_bytes, parse_bytes(arguments.max_memory));
  }
  if (!arguments.min_decode.empty()) {
    HALFTONE_ASSIGN(options.min_decode_tokens_per_second, parse_rate(arguments.min_decode));
  }
  return {};
}

Result<int> run(Shell& shell, const ShipArguments& arguments) {
  ShipOptions options = arguments.options;
  HALFTONE_TRY(read_limits(arguments, options));
  HALFTONE_ASSIGN(options.speed.activations, parse_activations(arguments.activations));
  HALFTONE_ASSIGN(const Isa isa, active_isa());
  options.speed.threads = shell.threads;
  options.calibration = arguments.calibration.file;
  options.calibration_options = arguments.calibration.options;
  options.on_fixed = [&](const nlohmann::ordered_json& fixed) { print_fixed(shell, fixed); };
  const MachineInfo machine = machine_info();
  shell.print(fmt::format("{}, {} cores, {}\n", options.model.string(),
                          shell.threads > 0 ? shell.threads : machine.cores, name_of(isa)));
  HALFTONE_ASSIGN(const ShipOutcome outcome, ship(options, shell.progress()));
  print_outcome(shell, outcome);
  HALFTONE_TRY(shell.write_document(outcome.report));
  return exit_code(outcome.verdict);
}

}  // namespace

void add_ship(CLI::App& app, Shell& shell) {
  const auto arguments = std::make_shared<ShipArguments>();
  ShipOptions& options = arguments->options;
  CLI::App* verb = shell.verb(app, "ship", "candidates, gate, decision, artifact with evidence", kShipExample,
                              [&shell, arguments] { return run(shell, *arguments); });
  verb->add_option("MODEL", options.model, "model folder; its suite.yaml and gate.yaml are used when none is given")
      ->required();
  verb->add_option("--suite", options.suites,
                   "YAML file, or choices:FILE.csv, divergence:FILE.txt, perplexity:FILE.txt");
  verb->add_option("--text", options.text, "any text of yours: candidates are judged by how far they move from float");
  verb->add_option("--gate", options.gate, "YAML file of limits");
  verb->add_option("--recipes", options.recipes,
                   "presets or YAML files, comma-separated [int8,int4,int4-channel,int3; with --calibration int8 and "
                   "mixed-4.5,int4-best,int4-channel-best,lut4-best,int3-best; a network then int8,int8-best,int4-best,"
                   "int4-channel-best,int3-best]")
      ->delimiter(',');
  add_calibration(verb, arguments->calibration);
  verb->add_option("--max-bytes", arguments->max_bytes, "largest artifact, with unit")->type_name("1.2GB");
  verb->add_option("--max-memory", arguments->max_memory, "most memory while running, with unit")->type_name("1.5GB");
  verb->add_option("--min-decode", arguments->min_decode, "slowest decoding, with unit")->type_name("30tok/s");
  verb->add_option("-o,--output", options.output, "artifact folder [NAME.ht]");
  verb->add_flag("--replace", options.replace, "replace an existing output");
  add_activations(verb, arguments->activations);
}

}  // namespace halftone::cli
