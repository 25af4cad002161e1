// SPDX-License-Identifier: Apache-2.0
#include "ship/recheck.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "base/units.h"
#include "cli/shell.h"
#include "cli/ship_table.h"
#include "cli/table.h"

namespace halftone::cli {

namespace {

constexpr const char* kRecheckExample = R"(Example:
  $ halftone recheck out/tinyworld.ht
  ...
  12,882 samples, 3,022 values rebuilt in 0.4 s: everything agrees
Without the model: intervals, checks, verdicts and the decision follow from samples.jsonl alone.
Exit code 1 names the first difference.)";

Result<int> run(Shell& shell, const std::string& folder) {
  const auto begin = std::chrono::steady_clock::now();
  HALFTONE_ASSIGN(const RecheckResult result, recheck_evidence(folder));
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (result.same) {
    shell.print(ship_table(result.report, shell.colour()));
    shell.print(fmt::format("\n{} samples, {} values rebuilt in {}: {}\n", format_count(result.samples),
                            format_count(result.values), format_seconds(seconds),
                            paint("everything agrees", Colour::green, shell.colour())));
  } else {
    std::fprintf(stderr, "halftone: [recheck] %s: %s; the evidence was altered\n", folder.c_str(),
                 result.difference.c_str());
  }
  HALFTONE_TRY(shell.write_json({{"evidence", folder}}, {{"same", result.same},
                                                         {"samples", result.samples},
                                                         {"values", result.values},
                                                         {"difference", result.difference},
                                                         {"decision", result.decision},
                                                         {"seconds", seconds}}));
  return result.same ? kDone : kBadInput;
}

}  // namespace

void add_recheck(CLI::App& app, Shell& shell) {
  const auto folder = std::make_shared<std::string>();
  CLI::App* verb = shell.verb(app, "recheck", "rebuild the evidence from its samples, without the model",
                              kRecheckExample, [&shell, folder] { return run(shell, *folder); });
  verb->add_option("DIR", *folder, "evidence folder, or an artifact that holds one")->required();
}

}  // namespace halftone::cli
