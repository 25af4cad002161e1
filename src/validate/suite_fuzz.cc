// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "validate/gate.h"
#include "validate/suite.h"

// The YAML files that a person writes for this room: suites and gates.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)halftone::parse_suite(text, "fuzz.yaml");
  (void)halftone::parse_gate(text, "fuzz.yaml");
  return 0;
}
