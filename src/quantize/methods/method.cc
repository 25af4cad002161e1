// SPDX-License-Identifier: Apache-2.0
#include "quantize/methods/method.h"

#include <array>

#include "quantize/methods/methods.h"

namespace halftone {
namespace {

constexpr Fills kScales{.lines = true, .nested = true}, kPalettes{.lines = false, .palettes = true},
    kAll{.lines = true, .nested = true, .palettes = true};

}  // namespace

std::span<const Method> all_methods() {
  static constexpr std::array kMethods = {
      Method{.name = "nearest", .choose = choose_nearest},
      Method{.name = "search", .fills = kScales, .choose = choose_search},
      Method{.name = "gptq", .fills = kAll, .uses = Data::hessian, .prepare = prepare_gptq, .choose = choose_gptq},
      Method{.name = "kmeans", .fills = kPalettes, .prepare = prepare_kmeans, .choose = choose_kmeans},
      Method{.name = "kmeans_weighted",
             .fills = kPalettes,
             .uses = Data::second_moments,
             .prepare = prepare_kmeans,
             .choose = choose_kmeans},
      Method{
          .name = "kmeans_lloyd", .fills = kPalettes, .prepare = prepare_kmeans_lloyd, .choose = choose_kmeans_lloyd},
  };
  return kMethods;
}

const Method* find_method(std::string_view name) {
  for (const Method& method : all_methods())
    if (method.name == name) return &method;
  return nullptr;
}

}  // namespace halftone
