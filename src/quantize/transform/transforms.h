// SPDX-License-Identifier: Apache-2.0
// The rows of the table in transform.cc; one file per transform defines them.
#pragma once

#include "quantize/transform/transform.h"

namespace halftone {

Result<TransformPlan> plan_awq(const TransformInput& input);
Result<TransformPlan> plan_smooth(const TransformInput& input);
Result<TransformPlan> plan_equalize(const TransformInput& input);
Result<TransformPlan> plan_rotate(const TransformInput& input);

}  // namespace halftone
