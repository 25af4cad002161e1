// SPDX-License-Identifier: Apache-2.0
#include "ship/page/chart.h"

#include <gtest/gtest.h>

#include <regex>

namespace halftone::page {
namespace {

size_t times(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

Chart small_chart() {
  Chart chart;
  chart.id = "c";
  chart.title = "A <title>";
  chart.description = "what & why";
  chart.x_title = "bits";
  chart.y_title = "KL";
  chart.log_y = true;
  chart.series.push_back(
      {"one & two", 0, {{3, 0.1, 0.05, 0.2, 0, "p < q"}, {4, 0.01, 0.01, 0.01, 1, "r"}}, {{3, 0.1}, {4, 0.01}}});
  chart.shapes = {"channel", "block32"};
  chart.notes = {{4, "knee: <b>"}};
  return chart;
}

TEST(Chart, SaysItAllInWordsAndEscapesThem) {
  const std::string svg = render_chart(small_chart());
  EXPECT_EQ(times(svg, "<svg class=\"drawn"), 2u);  // wide and narrow
  EXPECT_EQ(times(svg, "</svg>"), times(svg, "<svg "));
  EXPECT_EQ(times(svg, ">A &lt;title&gt;</title>"), 2u);
  EXPECT_EQ(times(svg, ">what &amp; why</desc>"), 2u);
  EXPECT_EQ(times(svg, "<title>p &lt; q</title>"), 2u);
  EXPECT_EQ(times(svg, "knee: &lt;b&gt;"), 2u);
  EXPECT_EQ(svg.find("<b>"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
}

TEST(Chart, MarksLieInsideAndInOrder) {
  const std::string svg = render_chart(small_chart());
  const std::regex mark(R"re(class="m s0" transform="translate\(([-0-9.]+) ([-0-9.]+)\)")re");
  std::vector<std::pair<double, double>> places;
  const size_t wide = svg.find("viewBox=\"0 0 960 400\"");
  const std::string part = svg.substr(wide, svg.find("</svg>", wide) - wide);
  for (std::sregex_iterator at(part.begin(), part.end(), mark), end; at != end; ++at)
    places.emplace_back(std::stod((*at)[1]), std::stod((*at)[2]));
  ASSERT_EQ(places.size(), 2u);
  for (const auto& [x, y] : places) {
    EXPECT_GT(x, 0);
    EXPECT_LT(x, 960);
    EXPECT_GT(y, 0);
    EXPECT_LT(y, 400);
  }
  EXPECT_LT(places[0].first, places[1].first);    // more bits: further right
  EXPECT_LT(places[0].second, places[1].second);  // more loss: higher
}

TEST(Chart, WithoutPointsThereIsNone) {
  Chart chart = small_chart();
  chart.series[0].marks.clear();
  EXPECT_EQ(render_chart(chart).find("class=\"drawn"), std::string::npos);
}

TEST(Chart, TicksAreRoundAndInside) {
  EXPECT_EQ(linear_ticks(3.2, 8.6, 6), (std::vector<double>{4, 5, 6, 7, 8}));
  EXPECT_EQ(log_ticks(0.0009, 0.2, 4), (std::vector<double>{0.001, 0.01, 0.1}));
  const std::vector<double> few = log_ticks(0.15, 0.6, 6);
  ASSERT_EQ(few.size(), 2u);
  EXPECT_NEAR(few[0], 0.2, 1e-12);
  EXPECT_NEAR(few[1], 0.5, 1e-12);
}

}  // namespace
}  // namespace halftone::page
