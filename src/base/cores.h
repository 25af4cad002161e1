// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

namespace halftone {

// Whole cores that the control groups of a process allow, at least 1; empty when nothing limits it. `membership` is a
// file like /proc/self/cgroup, `mount` a tree like /sys/fs/cgroup (version 1 or 2). The tightest limit up to the root
// counts.
std::optional<int> cgroup_cores(const std::filesystem::path& membership, const std::filesystem::path& mount);

}  // namespace halftone
