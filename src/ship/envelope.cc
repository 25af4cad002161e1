// SPDX-License-Identifier: Apache-2.0
#include "ship/envelope.h"

#include <utility>

#include "base/version.h"
#include "device/machine.h"
#include "kernels/isa.h"

namespace halftone {

nlohmann::ordered_json machine_json() {
  nlohmann::ordered_json machine = to_json(machine_info());
  if (const Result<Isa> isa = active_isa(); isa.ok()) machine["isa"] = std::string(name_of(*isa));
  return machine;
}

nlohmann::ordered_json make_envelope(std::string_view verb, nlohmann::ordered_json settings,
                                     nlohmann::ordered_json results) {
  nlohmann::ordered_json out;
  out["halftone"] = std::string(version());
  out["verb"] = std::string(verb);
  out["machine"] = machine_json();
  out["settings"] = std::move(settings);
  out["results"] = std::move(results);
  return out;
}

}  // namespace halftone
