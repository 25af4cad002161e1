// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "formats/network/network_file.h"
#include "ship/job.h"

namespace halftone {

namespace {

namespace fs = std::filesystem;

bool is_text_task(const Suite& suite) { return !has_answers(suite.spec.task) && !is_of_network(suite.spec.task); }

Status read_suites(ShipJob& job) {
  std::vector<std::string> wanted = job.options.suites;
  if (!job.options.text.empty()) wanted.push_back("divergence:" + job.options.text.string());
  if (wanted.empty()) {
    const fs::path own = job.options.model / "suite.yaml";
    std::error_code error;
    if (!fs::is_regular_file(own, error))
      return invalid_input(
          "[ship] expected --suite FILE.yaml or --text FILE.txt, got neither, and {} has no suite.yaml; with any text "
          "of yours "
          "--text judges the candidates by how far they move from float",
          job.options.model.string());
    wanted.push_back(own.string());
  }
  std::set<std::string> names;
  for (const std::string& argument : wanted) {
    HALFTONE_ASSIGN(Suite suite, load_suite(argument));
    if (!names.insert(suite.spec.name).second)
      return invalid_input("[ship] expected suites with different names, got \"{}\" twice; set name in one of them",
                           suite.spec.name);
    job.suites.push_back(std::move(suite));
  }
  return {};
}

Status read_gate(ShipJob& job) {
  const fs::path own = job.options.model / "gate.yaml";
  std::error_code error;
  if (!job.options.gate.empty()) {
    job.gate_source = job.options.gate.string();
  } else if (job.options.suites.empty() && job.options.text.empty() && fs::is_regular_file(own, error)) {
    job.gate_source = own.string();
  } else if (std::any_of(job.suites.begin(), job.suites.end(), is_text_task)) {
    job.gate_source = "default for text";
    HALFTONE_ASSIGN(job.gate, parse_gate(default_text_gate(), job.gate_source));
    return {};
  } else {
    return invalid_input(
        "[ship] expected --gate FILE.yaml for labelled suites, got none; two lines do: \"checks:\" and "
        "\"  - {{metric: choice_accuracy.loss, max: 1.0, unit: points}}\"");
  }
  HALFTONE_ASSIGN(job.gate, load_gate(job.gate_source));
  return {};
}

// A budget is a check like any other: hashed with them, judged with the measured interval.
void add_budgets(ShipJob& job) {
  const auto add = [&](const char* metric, double limit, const char* unit) {
    GateCheck check;
    check.metric = metric;
    check.limit = limit;
    check.unit = unit;
    job.gate.checks.push_back(std::move(check));
  };
  const ShipOptions& options = job.options;
  if (options.max_bytes) add("bytes", static_cast<double>(*options.max_bytes), "bytes");
  if (options.max_memory_bytes) add("memory_bytes", static_cast<double>(*options.max_memory_bytes), "bytes");
  if (options.min_decode_tokens_per_second)
    add("decode_tokens_per_second", *options.min_decode_tokens_per_second, "tokens_per_second");
}

Status read_recipes(ShipJob& job) {
  const std::vector<std::string> without_data = {"int8", "int4", "int4-channel", "int3"},
                                 with_data = {"int8",      "mixed-4.5", "int4-best", "int4-channel-best",
                                              "lut4-best", "int3-best"},
                                 network_with_data = {"int8", "int8-best", "int4-best", "int4-channel-best",
                                                      "int3-best"};
  const bool network = is_network(job.options.model);
  const auto& standard = job.options.calibration.empty() ? without_data : network ? network_with_data : with_data;
  std::set<std::string> names;
  for (const std::string& name : job.options.recipes.empty() ? standard : job.options.recipes) {
    ShipCandidate candidate;
    HALFTONE_ASSIGN(candidate.recipe, load_recipe(name, network ? RecipeFor::network : RecipeFor::language_model));
    candidate.contender.name = candidate.recipe.name.empty() ? fs::path(name).stem().string() : candidate.recipe.name;
    if (!names.insert(candidate.contender.name).second)
      return invalid_input("[ship] expected recipes with different names, got \"{}\" twice", candidate.contender.name);
    job.candidates.push_back(std::move(candidate));
  }
  return {};
}

Status choose_output(ShipJob& job) {
  job.output = job.options.output;
  if (job.output.empty()) {
    std::error_code error;
    const fs::path model = fs::weakly_canonical(job.options.model, error);
    job.output = model.filename().stem().string() + ".ht";
  }
  if (job.output.filename().empty()) job.output = job.output.parent_path();
  fs::path evidence = job.output;
  evidence.replace_extension(".evidence");
  std::error_code error;
  for (const fs::path& path : {job.output, evidence})
    if (!job.options.replace && fs::exists(path, error))
      return invalid_input(
          "[ship] {}: expected an output that does not exist yet, got one; remove it, choose another -o, or say "
          "--replace",
          path.string());
  return {};
}

}  // namespace

Status read_inputs(ShipJob& job) {
  HALFTONE_TRY(choose_output(job));
  HALFTONE_TRY(read_recipes(job));
  HALFTONE_TRY(read_suites(job));
  HALFTONE_TRY(read_gate(job));
  add_budgets(job);
  return {};
}

}  // namespace halftone
