// SPDX-License-Identifier: Apache-2.0
// The part of score.h that networks need. Private to the room.
#pragma once

#include <span>

#include "validate/score.h"
#include "validate/tasks/network_task.h"

namespace halftone {

Status at_sample(const SampleRecord& sample, const Status& status);
// An artifact that says how its input is made must not be given another.
Status check_same_input(const PreparedSuite& prepared, const Classifier& candidate);
// Fills one side of the records.
Status score_network(const PreparedSuite& prepared, Classifier& classifier, Side side, std::span<SampleRecord> records,
                     Progress& progress);

}  // namespace halftone
