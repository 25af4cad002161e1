// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/grid.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <set>

#include "base/error.h"
#include "base/yaml.h"
#include "quantize/methods/method.h"

namespace halftone {
namespace {

constexpr int kTuneSteps = 60;  // those of the -best presets

std::vector<const Layout*> packed_layouts() {
  std::vector<const Layout*> layouts;
  for (const Layout* layout : all_layouts())
    if (!layout->is_float()) layouts.push_back(layout);
  return layouts;
}

const Layout* find_cell(int64_t bits, std::string_view granularity) {
  for (const Layout* layout : packed_layouts())
    if (layout->bits == bits && granularity_of(*layout) == granularity) return layout;
  return nullptr;
}

std::string_view method_behind(std::string_view method) { return method == kTunedMethod ? "gptq" : method; }

template <class T>
Status check_values(const char* option, const std::vector<T>& given, const std::vector<T>& known) {
  if (given.empty())
    return invalid_input("[sweep] {}: expected at least one of {}, got none", option, fmt::join(known, ", "));
  std::set<T> seen;
  for (const T& value : given) {
    if (!seen.insert(value).second)
      return invalid_input("[sweep] {}: expected each value once, got {} twice", option, value);
    if (std::find(known.begin(), known.end(), value) == known.end())
      return invalid_input("[sweep] {}: expected values of {}, got '{}'", option, fmt::join(known, ", "), value);
  }
  return {};
}

Status check_options(const GridOptions& options) {
  std::set<int64_t, std::greater<>> bits;
  std::vector<std::string> granularities, methods;
  for (const Layout* layout : packed_layouts()) {
    bits.insert(layout->bits);
    const std::string name(granularity_of(*layout));
    if (std::find(granularities.begin(), granularities.end(), name) == granularities.end())
      granularities.push_back(name);
  }
  for (const Method& method : all_methods()) methods.emplace_back(method.name);
  methods.emplace_back(kTunedMethod);
  HALFTONE_TRY(check_values("--bits", options.bits, std::vector<int64_t>(bits.begin(), bits.end())));
  HALFTONE_TRY(check_values("--granularity", options.granularities, granularities));
  return check_values("--methods", options.methods, methods);
}

}  // namespace

bool GridPoint::uses_data() const {
  return recipe.tune.steps > 0 || find_method(method_behind(method))->uses != Data::none;
}

std::string_view granularity_of(const Layout& layout) { return layout.name.substr(layout.name.find('_') + 1); }

bool method_fills(std::string_view method, const Layout& layout) {
  return find_method(method_behind(method))->can_fill(layout);
}

GridPoint grid_point(const Layout& layout, std::string_view method) {
  GridPoint point;
  point.name = fmt::format("{}-{}", layout.name, method);
  point.layout = &layout;
  point.method = method;
  const std::string tune = method == kTunedMethod ? fmt::format("tune: {{steps: {}}}\n", kTuneSteps) : "";
  const auto recipe = parse_recipe(fmt::format("name: {}\nrules:\n  - {{match: \"*\", layout: {}, method: {}}}\n{}",
                                               point.name, layout.name, method_behind(method), tune),
                                   point.name);
  HALFTONE_CHECK(recipe.ok());
  point.recipe = *recipe;
  return point;
}

Result<SweepGrid> make_grid(const GridOptions& options) {
  HALFTONE_TRY(check_options(options));
  SweepGrid grid;
  std::vector<int64_t> bits = options.bits;
  std::sort(bits.begin(), bits.end(), std::greater<>());
  for (const int64_t one : bits) {
    for (const std::string& granularity : options.granularities) {
      const Layout* layout = find_cell(one, granularity);
      if (layout == nullptr) {
        grid.left_out.push_back({fmt::format("{} bits, {}", one, granularity), "there is no such layout"});
        continue;
      }
      for (const std::string& method : options.methods) {
        if (method_fills(method, *layout))
          grid.points.push_back(grid_point(*layout, method));
        else
          grid.left_out.push_back(
              {fmt::format("{}-{}", layout->name, method), fmt::format("{} cannot fill {}", method, layout->name)});
      }
    }
  }
  if (!grid.points.empty()) return grid;
  std::string reasons;
  for (const LeftOut& one : grid.left_out)
    reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", one.what, one.why);
  return invalid_input("[sweep] expected a grid of at least one point, got none: {}", reasons);
}

}  // namespace halftone
