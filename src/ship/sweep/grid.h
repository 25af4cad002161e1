// SPDX-License-Identifier: Apache-2.0
// Which points a sweep measures: bits x granularity x method, as far as there are layouts and methods that fill them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"
#include "quantize/recipe.h"

namespace halftone {

struct GridOptions {
  std::vector<int64_t> bits = {8, 6, 4, 3};
  // What a layout's name says after its bits: "channel", "block32", "affine64", "k32", "group16", ...
  std::vector<std::string> granularities = {"channel", "affine128", "affine64", "block32", "affine32"};
  // Names of methods, and "tuned": gptq, and then the scales distilled against the float model.
  std::vector<std::string> methods = {"nearest", "search", "gptq"};
};

inline constexpr std::string_view kTunedMethod = "tuned";

struct GridPoint {
  std::string name;  // "int4_block32-gptq"
  const Layout* layout = nullptr;
  std::string method;
  Recipe recipe;
  bool uses_data() const;
};

struct LeftOut {
  std::string what, why;
};

struct SweepGrid {
  std::vector<GridPoint> points;  // from most bits to fewest
  std::vector<LeftOut> left_out;
};

// "block32" of int4_block32; "group16_scaled" of lut4_group16_scaled.
std::string_view granularity_of(const Layout& layout);
bool method_fills(std::string_view method, const Layout& layout);  // "tuned" is a method, too
// REQUIRES: method_fills.
GridPoint grid_point(const Layout& layout, std::string_view method);

// Errors: a value that no layout or method has, one that is given twice, a grid that is left without points.
Result<SweepGrid> make_grid(const GridOptions& options);

}  // namespace halftone
