// SPDX-License-Identifier: Apache-2.0
#include "validate/validate.h"

#include <fmt/format.h>

#include "base/atomic_write.h"
#include "base/error.h"
#include "base/units.h"
#include "cli/shell.h"
#include "cli/ship_table.h"
#include "validate/subject.h"

namespace halftone::cli {

namespace {

struct ValidateArguments {
  std::string reference, candidate, gate, activations = "auto", split = "all", samples;
  std::vector<std::string> suites;
  uint64_t seed = 1;
  size_t worst = 5;
};

constexpr const char* kValidateExample = R"(Example:
  $ halftone validate models/tinyworld int8.ht --suite models/tinyworld/suite.yaml --gate models/tinyworld/gate.yaml
  metric                          float  candidate      change [95 %]       n
  Right answers                  86.3 %     86.2 %  -0.0 [-0.2, +0.1]  10,862  questions
  ...
  check             limit  value  one-sided 95 %       n  verdict
  loss               <= 1   0.05    [-0.08, 0.2]  10,862  pass
  ...
  gate: pass
Exit codes: 0 the gate passes or there is none, 3 it fails, 4 too few samples to tell.)";

void print(Shell& shell, const nlohmann::ordered_json& comparison) {
  shell.progress().end();
  shell.print(metric_table(comparison, shell.colour()) + "\n" + tail_table(comparison, shell.colour()));
  if (!comparison["worst"].empty()) shell.print("\nWorst samples:\n");
  for (const auto& worst : comparison["worst"]) shell.print("  " + worst_line(worst) + "\n");
  if (comparison["gate"].is_null()) return;
  shell.print("\n" + check_table(comparison["gate"], shell.colour()));
  const std::string verdict = comparison["gate"]["verdict"];
  shell.print(fmt::format("gate: {}\n", paint(verdict, verdict_colour(verdict), shell.colour())));
}

int exit_code(const Comparison& comparison) {
  if (!comparison.gate || comparison.gate->verdict == Verdict::pass) return kDone;
  return comparison.gate->verdict == Verdict::fail ? kGateFailed : kInconclusive;
}

Result<int> run(Shell& shell, const ValidateArguments& arguments) {
  std::vector<Suite> suites;
  for (const std::string& argument : arguments.suites) {
    HALFTONE_ASSIGN(Suite suite, load_suite(argument));
    suites.push_back(std::move(suite));
  }
  Gate gate;
  if (!arguments.gate.empty()) {
    HALFTONE_ASSIGN(gate, load_gate(arguments.gate));
  }
  ValidateOptions options;
  HALFTONE_ASSIGN(options.split, parse_split(arguments.split));
  options.gate = arguments.gate.empty() ? nullptr : &gate;
  options.compare.seed = arguments.seed;
  options.compare.worst = arguments.worst;
  HALFTONE_ASSIGN(const Activations activations, parse_activations(arguments.activations));
  HALFTONE_ASSIGN(const OpenSubject reference, open_subject(arguments.reference, shell.threads, activations));
  HALFTONE_ASSIGN(const OpenSubject candidate, open_subject(arguments.candidate, shell.threads, activations));
  options.compare.facts.bytes = candidate.bytes;
  HALFTONE_ASSIGN(const Validation validation,
                  validate_pair(*reference.subject, *candidate.subject, suites, options, shell.progress()));
  const nlohmann::ordered_json results = to_json(validation.comparison);
  print(shell, results);
  if (!arguments.samples.empty())
    HALFTONE_TRY(write_file_atomic(arguments.samples, format_records(validation.records)));
  HALFTONE_TRY(shell.write_json({{"reference", arguments.reference},
                                 {"candidate", arguments.candidate},
                                 {"suites", arguments.suites},
                                 {"gate", arguments.gate},
                                 {"split", arguments.split},
                                 {"reference_activations", reference.activations},
                                 {"candidate_activations", candidate.activations},
                                 {"threads", candidate.threads}},
                                results));
  return exit_code(validation.comparison);
}

}  // namespace

void add_validate(CLI::App& app, Shell& shell) {
  const auto arguments = std::make_shared<ValidateArguments>();
  CLI::App* verb = shell.verb(app, "validate", "a candidate against its reference, sample by sample", kValidateExample,
                              [&shell, arguments] { return run(shell, *arguments); });
  verb->add_option("REFERENCE", arguments->reference, "model folder or file, usually float")->required();
  verb->add_option("CANDIDATE", arguments->candidate, "model folder, file or artifact")->required();
  verb->add_option("--suite", arguments->suites,
                   "YAML file, or choices:FILE.csv, divergence:FILE.txt, perplexity:FILE.txt, "
                   "classify, retrieve, regress or detect:FILE.csv")
      ->required();
  verb->add_option("--gate", arguments->gate, "YAML file of limits");
  verb->add_option("--split", arguments->split, "all, decide or confirm")->capture_default_str();
  verb->add_option("--samples", arguments->samples, "write every sample's scores to this JSON Lines file")
      ->type_name("PATH");
  verb->add_option("--seed", arguments->seed, "of the bootstrap")->capture_default_str();
  verb->add_option("--worst", arguments->worst, "worst samples shown")->capture_default_str();
  add_activations(verb, arguments->activations);
}

}  // namespace halftone::cli
