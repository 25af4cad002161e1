// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ship/page/chart.h"
#include "ship/sweep/sweep.h"

namespace halftone::page {

Chart surface_chart(const SweepReport& report);
Chart tail_chart(const SweepReport& report);

}  // namespace halftone::page
