// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "formats/tflite/tflite.h"

// Any bytes as a TFLite file: refused with words, or a network whose nodes read what is there.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace halftone;
  const auto file = std::as_bytes(std::span(data, size));
  const auto network = tflite::import_tflite(file, "fuzz", nullptr);
  if (!network.ok()) {
    HALFTONE_CHECK(!network.status().message().empty());
    return 0;
  }
  for (const auto& [id, tensor] : network->constants)
    HALFTONE_CHECK(tensor.bytes().size() == static_cast<size_t>(tensor.size_bytes()));
  HALFTONE_CHECK(!network->outputs.empty());
  return 0;
}
