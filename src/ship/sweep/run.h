// SPDX-License-Identifier: Apache-2.0
// The state of one sweep. Private to its folder.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "ship/sweep/judge.h"
#include "ship/sweep/store.h"
#include "ship/sweep/sweep.h"

namespace halftone {

struct SweepRun {
  static Result<std::unique_ptr<SweepRun>> create(const SweepOptions& options, Progress& progress);
  Status measure_grid();
  // Measured now or by an earlier run; none where this model cannot be stored so, which is noted.
  Result<std::optional<SweepPoint>> obtain(const GridPoint& wanted, size_t done, size_t total);
  Status write_state() const;

  const SweepOptions& options;
  Progress& progress;
  SweepStore store;
  std::unique_ptr<SweepJudge> judge;
  SweepReport report;

 private:
  SweepRun(const SweepOptions& given, Progress& bar, SweepStore folder, std::unique_ptr<SweepJudge> judges)
      : options(given), progress(bar), store(std::move(folder)), judge(std::move(judges)) {}
  std::vector<GridPoint> grid_;
};

}  // namespace halftone
