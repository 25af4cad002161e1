// SPDX-License-Identifier: Apache-2.0
#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "base/version.h"
#include "cli/arguments.h"
#include "cli/shell.h"

namespace halftone::cli {

int run(int argc, char** argv) {
  CLI::App app{"halftone takes a trained model to a device, and proves that it arrived whole."};
  app.name("halftone");
  app.set_version_flag("--version", "halftone " + std::string(version()));
  app.require_subcommand(1);
  app.footer(
      "First job:\n  halftone ship MODEL --text my_prompts.txt -o OUT.ht\nEvery verb shows an example: halftone VERB "
      "--help");
  Shell shell;
  app.add_option("--json", shell.json, "write the result as JSON to PATH; - for standard output")->type_name("PATH");
  app.add_option("--threads", shell.threads, "worker threads; 0 for all cores")->type_name("N");
  app.add_option("--isa", shell.isa, "force an instruction set; `halftone inspect --isa` lists them")
      ->type_name("NAME");
  app.add_flag("--quiet", shell.quiet, "no progress, no notes");
  for (auto* add : {add_ship, add_recheck, add_inspect, add_run, add_chat, add_quantize, add_validate, add_bench,
                    add_synth, add_verify, add_export})
    add(app, shell);
  std::vector<std::string> arguments = normalized_arguments(argc, argv);
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? kDone : kBadUsage;
  }
  return shell.run();
}

}  // namespace halftone::cli

int main(int argc, char** argv) {
#ifdef SIGXFSZ
  std::signal(SIGXFSZ, SIG_IGN);  // a file-size limit is then an error of the write, with its file named
#endif
  return halftone::cli::run(argc, argv);
}
