// SPDX-License-Identifier: Apache-2.0
// The folder of a sweep: what was measured stays there, and is found again.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/atomic_write.h"
#include "ship/sweep/point.h"

namespace halftone {

// An error when the folder holds files and no sweep: somebody else's are neither mixed with ours nor taken for them.
Status check_sweep_folder(const std::filesystem::path& folder);

class SweepStore {
 public:
  // Makes the folder. REQUIRES: check_sweep_folder; lives no longer than one run.
  static Result<SweepStore> open(const std::filesystem::path& folder, bool keep);

  // The point that was measured from the same inputs; with `keep` only where its artifact is there, too.
  Result<std::optional<SweepPoint>> find(const std::string& name, const std::string& key) const;
  Status save(const SweepPoint& point) const;
  // Where the point's artifact goes: points/NAME.ht, or a work folder that ends with us.
  std::filesystem::path artifact(const std::string& name) const;
  void discard_artifact(const std::string& name) const;  // nothing with `keep`

  // What else was measured, by name: {"key": ..., ...}.
  Result<std::optional<nlohmann::ordered_json>> find_note(const std::string& name, const std::string& key) const;
  Status save_note(const std::string& name, const nlohmann::ordered_json& note) const;

  Status write(const std::string& name, std::string_view content) const {
    return write_file_atomic(folder_ / name, content);
  }
  const std::filesystem::path& folder() const { return folder_; }

 private:
  SweepStore(std::filesystem::path folder, bool keep, AtomicFolder work)
      : folder_(std::move(folder)), keep_(keep), work_(std::move(work)) {}
  Result<std::optional<nlohmann::ordered_json>> read(const std::string& name) const;
  std::filesystem::path file(const std::string& name) const { return folder_ / "points" / (name + ".json"); }

  std::filesystem::path folder_;
  bool keep_;
  AtomicFolder work_;  // never committed: gone with what it holds, also when we are killed (the next run removes it)
};

}  // namespace halftone
