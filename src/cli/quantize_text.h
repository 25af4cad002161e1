// SPDX-License-Identifier: Apache-2.0
// What `quantize` prints.
#pragma once

#include <string>

#include "quantize/calibration/coverage.h"
#include "quantize/quantize.h"

namespace halftone::cli {

std::string quantize_table(const QuantizeReport& report, bool colour);  // a row per layout
std::string tuned_text(const TuneReport& tuned);
std::string ranges_text(const RangesReport& report);      // and the inputs that they hold least
std::string coverage_text(const CoverageReport& report);  // of the inputs least covered

}  // namespace halftone::cli
