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

InputStatistics of_run(const InputStatistics& statistics, int64_t run, int64_t columns) {
  InputStatistics one = statistics;
  const auto cut = [&](std::span<const float>& span, int64_t size) {
    if (!span.empty()) span = span.subspan(static_cast<size_t>(run * size), static_cast<size_t>(size));
  };
  cut(one.second_moment, columns);
  cut(one.hessian, columns * columns);
  cut(one.drift, columns * columns);
  one.runs = 1;
  return one;
}

const Method* find_method(std::string_view name) {
  for (const Method& method : all_methods())
    if (method.name == name) return &method;
  return nullptr;
}

}  // namespace halftone
