// SPDX-License-Identifier: Apache-2.0
// What every verb shares: global options, where output goes, exit codes.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/progress.h"
#include "halftone/status.h"
#include "kernels/linear/linear.h"

namespace halftone::cli {

enum ExitCode : int { kDone = 0, kBadInput = 1, kBadUsage = 2, kGateFailed = 3, kInconclusive = 4 };

class Shell {
 public:
  Shell();

  // Options that every verb takes.
  std::string json;  // file, "-" for standard output, empty for none
  int threads = 0;   // 0: available cores
  bool quiet = false;
  std::string isa;

  // Registers a verb. `body` runs when the verb was chosen; it gives the exit code, or an error (exit code 1).
  CLI::App* verb(CLI::App& app, std::string name, std::string summary, std::string example,
                 std::function<Result<int>()> body);
  int run();  // the chosen verb

  // For people, on standard output; nothing when JSON goes there.
  void print(std::string_view text);
  // For people, on standard error; nothing when quiet.
  void note(std::string_view text);
  bool colour() const { return colour_; }  // of standard output
  Progress& progress() { return *progress_; }

  // The envelope, where --json asked for it.
  Status write_json(nlohmann::ordered_json settings, nlohmann::ordered_json results);
  Status write_document(const nlohmann::ordered_json& document);

 private:
  std::string verb_;
  std::function<Result<int>()> body_;
  bool colour_ = false;
  std::unique_ptr<Progress> progress_;
};

// Registered options that several verbs share.
void add_activations(CLI::App* verb, std::string& value);
void add_kv(CLI::App* verb, std::string& value);  // kv_type_from_name reads it
Result<Activations> parse_activations(std::string_view text);

// Every verb of the program: one file each.
void add_inspect(CLI::App& app, Shell& shell);
void add_synth(CLI::App& app, Shell& shell);
void add_quantize(CLI::App& app, Shell& shell);
void add_validate(CLI::App& app, Shell& shell);
void add_bench(CLI::App& app, Shell& shell);
void add_ship(CLI::App& app, Shell& shell);
void add_recheck(CLI::App& app, Shell& shell);
void add_run(CLI::App& app, Shell& shell);
void add_chat(CLI::App& app, Shell& shell);
void add_verify(CLI::App& app, Shell& shell);
void add_export(CLI::App& app, Shell& shell);

}  // namespace halftone::cli
