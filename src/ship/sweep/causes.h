// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ship/sweep/run.h"

namespace halftone {

// Which tensors make the point beyond the knee fall: each one's KL when it alone is stored as there.
Status add_causes(SweepRun& run, KneeReport& knee);

}  // namespace halftone
