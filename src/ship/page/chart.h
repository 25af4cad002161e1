// SPDX-License-Identifier: Apache-2.0
// Charts as inline SVG, drawn once for wide and once for narrow screens (chart.css shows one of them). Colours come
// from the page's style; series also differ in dashes and fill, groups in shape, and every mark says what it is.
#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace halftone::page {

struct ChartMark {
  double x = 0, y = 0;
  double low = std::numeric_limits<double>::quiet_NaN(), high = low;  // of y; NaN: no interval
  size_t shape = 0;                                                   // of Chart::shapes
  std::string told;                                                   // shown at the pointer, and read aloud
};

struct ChartSeries {
  std::string name;  // empty: not in the legend
  size_t style = 0;  // colour, dashes and fill; 6 differ
  std::vector<ChartMark> marks;
  std::vector<std::pair<double, double>> line;  // joined in this order; empty: marks only
};

// A vertical line with a word.
struct ChartNote {
  double x = 0;
  std::string text;
};

struct Chart {
  std::string id;                  // unique on the page, letters and hyphens
  std::string title, description;  // for those who do not see it
  std::string x_title, y_title;
  bool log_y = false;  // marks at or below zero are drawn at the lower edge
  std::vector<ChartSeries> series;
  std::vector<std::string> shapes;  // names of the shapes in use; 8 differ. Empty: circles, not in the legend
  std::vector<ChartNote> notes;
};

std::string render_chart(const Chart& chart);

// About `count` round numbers that lie in [low, high]. REQUIRES: low < high, count > 0; for decades 0 < low.
std::vector<double> linear_ticks(double low, double high, int count);
std::vector<double> log_ticks(double low, double high, int count);

}  // namespace halftone::page
