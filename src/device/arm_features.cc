// SPDX-License-Identifier: Apache-2.0
#include "device/arm_features.h"

#include <cstddef>

#if defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace halftone {
namespace {

#if defined(__aarch64__) && defined(__APPLE__)
bool system_has(const char* name) {
  int value = 0;
  size_t size = sizeof value;
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}
#endif

ArmFeatures detect_arm() {
  ArmFeatures found;
#if defined(__aarch64__) && defined(__linux__)
  found.dot = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#if defined(HWCAP2_I8MM)  // kernel headers before 5.10 lack it
  found.i8mm = found.dot && (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
#endif
#elif defined(__aarch64__) && defined(__APPLE__)
  found.dot = system_has("hw.optional.arm.FEAT_DotProd");
  found.i8mm = found.dot && system_has("hw.optional.arm.FEAT_I8MM");
#endif
  return found;
}

}  // namespace

const ArmFeatures& arm_features() {
  static const ArmFeatures found = detect_arm();
  return found;
}

}  // namespace halftone
