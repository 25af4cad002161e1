// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "base/thread_pool.h"
#include "base/units.h"
#include "cli/shell.h"
#include "formats/model_file.h"

namespace halftone::cli {

namespace {

constexpr const char* kVerifyExample = R"(Example:
  $ halftone verify out/tinyworld.ht
  out/tinyworld.ht: whole; 38 tensors, 3.40 MB, every hash agrees)";

Result<int> run_verify(Shell& shell, const std::string& path) {
  ThreadPool pool(shell.threads > 0 ? shell.threads : available_cores());
  HALFTONE_ASSIGN(const ModelFile file, open_model_file(path));
  HALFTONE_TRY(verify_model_file(file, pool, shell.progress()));
  const auto tensors = static_cast<int64_t>(file.tensors.size());
  shell.progress().end();
  const std::string_view found = file.import ? "every number is that of the file" : "every hash agrees";
  shell.print(fmt::format("{}: whole; {} tensors, {}, {}\n", path, format_count(tensors),
                          format_bytes(file.bytes_on_disk), found));
  HALFTONE_TRY(shell.write_json({{"artifact", path}, {"threads", pool.threads()}},
                                {{"whole", true}, {"tensors", tensors}, {"bytes_on_disk", file.bytes_on_disk}}));
  return kDone;
}

}  // namespace

void add_verify(CLI::App& app, Shell& shell) {
  const auto path = std::make_shared<std::string>();
  CLI::App* verb = shell.verb(app, "verify", "read every byte: hashes of an artifact, numbers of GGUF and MLX",
                              kVerifyExample, [&shell, path] { return run_verify(shell, *path); });
  verb->add_option("ARTIFACT", *path, "artifact folder, GGUF file or MLX folder")->required();
}

}  // namespace halftone::cli
