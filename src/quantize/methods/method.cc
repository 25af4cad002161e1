// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/method.h"

#include <array>

#include "quantize/methods/methods.h"

namespace halftone {

std::span<const Method> all_methods() {
  static constexpr std::array kMethods = {
      Method{.name = "nearest", .choose = choose_nearest},
      Method{.name = "search", .nested = true, .choose = choose_search},
      Method{.name = "gptq", .nested = true, .uses = Data::hessian, .prepare = prepare_gptq, .choose = choose_gptq},
  };
  return kMethods;
}

const Method* find_method(std::string_view name) {
  for (const Method& method : all_methods())
    if (method.name == name) return &method;
  return nullptr;
}

}  // namespace halftone
