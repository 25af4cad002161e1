// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/thread_pool.h"
#include "base/units.h"
#include "cli/shell.h"
#include "formats/artifact/artifact.h"

namespace halftone::cli {

namespace {

constexpr const char* kVerifyExample = R"(Example:
  $ halftone verify out/tinyworld.ht
  out/tinyworld.ht: whole; 38 tensors, 3.40 MB, every hash agrees)";

Result<int> run_verify(Shell& shell, const std::string& path) {
  ThreadPool pool(shell.threads > 0 ? shell.threads : available_cores());
  HALFTONE_TRY(verify_artifact(path, pool, shell.progress()));
  HALFTONE_ASSIGN(const ModelFile file, open_artifact(path));
  const auto tensors = static_cast<int64_t>(file.tensors.size());
  shell.progress().end();
  shell.print(fmt::format("{}: whole; {} tensors, {}, every hash agrees\n", path, format_count(tensors),
                          format_bytes(file.bytes_on_disk)));
  HALFTONE_TRY(shell.write_json({{"artifact", path}, {"threads", pool.threads()}},
                                {{"whole", true}, {"tensors", tensors}, {"bytes_on_disk", file.bytes_on_disk}}));
  return kDone;
}

}  // namespace

void add_verify(CLI::App& app, Shell& shell) {
  const auto path = std::make_shared<std::string>();
  CLI::App* verb = shell.verb(app, "verify", "check an artifact's hashes, every byte", kVerifyExample,
                              [&shell, path] { return run_verify(shell, *path); });
  verb->add_option("ARTIFACT", *path, "artifact folder")->required();
}

}  // namespace halftone::cli
