// SPDX-License-Identifier: Apache-2.0
#include "cli/shell.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/atomic_write.h"
#include "base/error.h"
#include "cli/progress.h"
#include "kernels/isa.h"
#include "ship/envelope.h"

namespace halftone::cli {

Shell::Shell() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  colour_ = isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') &&
            (terminal == nullptr || std::string_view(terminal) != "dumb");
}

CLI::App* Shell::verb(CLI::App& app, std::string name, std::string summary, std::string example,
                      std::function<Result<int>()> body) {
  CLI::App* verb = app.add_subcommand(name, std::move(summary));
  verb->footer(std::move(example));
  verb->fallthrough();  // global options may follow the verb
  verb->callback([this, name = std::move(name), body = std::move(body)] {
    verb_ = name;
    body_ = body;
  });
  return verb;
}

int Shell::run() {
  progress_ = make_progress(quiet);
  Result<int> result = [&]() -> Result<int> {
    if (threads < 0)
      return invalid_input("[{}] expected --threads of 1 or more (or 0 for all cores), got {}", verb_, threads);
    if (!isa.empty()) {
      HALFTONE_ASSIGN(const Isa wanted, isa_from_name(isa));
      HALFTONE_TRY(force_isa(wanted));
    }
    if (const Result<Isa> active = active_isa(); !active.ok()) return active.status();  // HALFTONE_ISA may be wrong
    return body_();
  }();
  progress_->end();
  // A table that did not arrive is no result, whatever was printed before the disk or the pipe ended.
  const bool printed = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (result.ok() && !printed)
    result = io_error("[{}] standard output: cannot write: {}; free some space or write elsewhere", verb_,
                      std::strerror(errno));
  if (result.ok()) return *result;
  std::fprintf(stderr, "halftone: %s\n", std::string(result.status().message()).c_str());
  return kBadInput;
}

void Shell::print(std::string_view text) {
  if (json == "-") return;
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void Shell::note(std::string_view text) {
  if (!quiet) std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
}

Status Shell::write_json(nlohmann::ordered_json settings, nlohmann::ordered_json results) {
  if (json.empty()) return {};
  return write_document(make_envelope(verb_, std::move(settings), std::move(results)));
}

Status Shell::write_document(const nlohmann::ordered_json& document) {
  if (json.empty()) return {};
  const std::string text = document.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (json != "-") return write_file_atomic(json, text);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    return io_error("[{}] standard output: expected to write {} bytes of JSON, got an error; is the disk full?", verb_,
                    text.size());
  return {};
}

void add_activations(CLI::App* verb, std::string& value) {
  verb->add_option(
          "--activations", value,
          "auto: the model's static ranges where it has them, else int8; exact (float), int8 where weights are "
          "integers, or bf16 (approximate) where they are bf16 panels")
      ->check(CLI::IsMember({"auto", "exact", "int8", "bf16"}))
      ->capture_default_str();
}

void add_kv(CLI::App* verb, std::string& value) {
  verb->add_option("--kv", value,
                   "keys and values in f16, or in int8 with a scale per token and head: about half the bytes")
      ->check(CLI::IsMember({"f16", "int8"}))
      ->capture_default_str();
}

Result<Activations> parse_activations(std::string_view text) {
  for (const Activations known : {Activations::automatic, Activations::exact, Activations::int8, Activations::bf16}) {
    if (text == name_of(known)) return known;
  }
  return invalid_input("[activations] expected auto, exact, int8 or bf16, got '{}'", text);
}

}  // namespace halftone::cli
