// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace halftone {

// What a 64-bit Arm CPU may have beyond the base instructions, as its system says; both false on other machines and on
// systems that do not say. Thread-safe; asks once.
struct ArmFeatures {
  bool dot = false;   // sdot, udot (FEAT_DotProd)
  bool i8mm = false;  // usdot, usmmla (FEAT_I8MM); only where `dot` is true too
};
const ArmFeatures& arm_features();

}  // namespace halftone
