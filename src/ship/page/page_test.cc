// SPDX-License-Identifier: Apache-2.0
#include "ship/page/page.h"

#include <gtest/gtest.h>

#include <regex>

#include "base/atomic_write.h"
#include "ship/page/assets.h"
#include "ship/page/html.h"
#include "ship/page/sections.h"

namespace halftone {
namespace {

using Json = nlohmann::ordered_json;

Json fixture() {
  const auto text = read_text_file(HALFTONE_SOURCE_DIR "/src/ship/testdata/report.json");
  EXPECT_TRUE(text.ok());
  return Json::parse(text.ok() ? *text : "{}", nullptr, false);
}

// The page without the bundled libraries.
std::string own_markup(const std::string& html) { return html.substr(0, html.find("<script>")); }

TEST(Page, ShowsTheDecisionAndEveryCandidate) {
  const std::string html = own_markup(render_page(fixture()));
  for (const char* expected :
       {"int4 ships: 3.4 times smaller", "float16", "int4-channel", "rare facts", "Sealed 4,000, opened once",
        "Worst samples", "Not measured", "halftone recheck", "id=\"chart-tradeoff\"", "id=\"chart-forest\""})
    EXPECT_NE(html.find(expected), std::string::npos) << expected;
}

TEST(Page, EscapesEverythingFromTheReport) {
  Json report = fixture();
  const std::string attack = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>\"&";
  report["results"]["model"]["name"] = attack;
  report["results"]["decision"]["sentence"] = attack;
  report["machine"]["cpu"] = attack;
  report["settings"][attack] = attack;
  report["results"]["not_measured"].push_back(attack);
  report["results"]["warnings"].push_back(attack);
  report["results"]["gate"]["checks"][0]["label"] = report["results"]["gate"]["checks"][0]["text"] = attack;
  for (Json& candidate : report["results"]["candidates"]) {
    candidate["reason"] = candidate["verdict"] = attack;
    if (!candidate.contains("quality")) continue;
    candidate["quality"]["slices"][0]["value"] = attack;
    candidate["quality"]["worst"][0]["text"] = candidate["quality"]["worst"][0]["choices"][0] = attack;
  }
  const std::string html = render_page(report);
  EXPECT_EQ(html.find("alert(1)</script>"), std::string::npos);
  EXPECT_EQ(own_markup(html).find("<img"), std::string::npos);
  EXPECT_EQ(html.find("<script>alert"), std::string::npos);
  // The chart data must still be JSON that says the same.
  const std::string open = R"(id="chart-data">)";
  const size_t begin = html.find(open) + open.size();
  const Json data = Json::parse(html.substr(begin, html.find("</script>", begin) - begin), nullptr, false);
  ASSERT_FALSE(data.is_discarded());
  EXPECT_NE(std::find(data["forest_rows"].begin(), data["forest_rows"].end(), "exposure=" + attack),
            data["forest_rows"].end());
}

TEST(Page, ShowsPicturesAndNothingElseAsPictures) {
  Json report = fixture();
  for (Json& candidate : report["results"]["candidates"])
    if (candidate.contains("quality")) {
      candidate["quality"]["worst"][0]["suite"] = "photos";
      candidate["quality"]["worst"][0]["id"] = "cats/1.png";
    }
  Json& picture = report["results"]["pictures"]["photos"]["cats/1.png"];
  picture = "data:image/png;base64,iVBORw0KGgo=";
  EXPECT_NE(own_markup(render_page(report)).find(R"(src="data:image/png;base64,iVBORw0KGgo=")"), std::string::npos);
  for (const char* other :
       {"https://example.org/a.png", "data:image/png;base64,AAAA\" onerror=\"x", "data:text/html,x"}) {
    picture = other;
    EXPECT_EQ(own_markup(render_page(report)).find("<img"), std::string::npos) << other;
  }
}

TEST(Page, AsksNoNetworkAndStaysSmall) {
  const std::string html = render_page(fixture());
  EXPECT_LT(html.size(), 1'200'000U);
  EXPECT_GT(html.size(), page::vega_js().size() + page::vega_lite_js().size());
  EXPECT_EQ(html.find("sourceMappingURL"), std::string::npos);
  const std::string own = own_markup(html);
  EXPECT_EQ(own.find("http://"), std::string::npos);
  EXPECT_EQ(own.find("https://"), std::string::npos);
  EXPECT_FALSE(std::regex_search(own, std::regex(R"((src|href)="[^#])")));
  EXPECT_NE(own.find("default-src 'none'"), std::string::npos);
}

TEST(Page, BundlesWholeLibraries) {
  EXPECT_NE(page::vega_js().find("6.4.0"), std::string_view::npos);
  EXPECT_NE(page::vega_lite_js().find("6.4.3"), std::string_view::npos);
  EXPECT_NE(page::vega_embed_js().find("vegaEmbed"), std::string_view::npos);
  for (std::string_view code : {page::vega_js(), page::vega_lite_js(), page::vega_embed_js(), page::charts_js()})
    EXPECT_EQ(code.find("</script"), std::string_view::npos);
  EXPECT_EQ(page::charts_js().substr(page::charts_js().size() - 6), "})();\n");
}

TEST(Page, LacksNothingItCannotLiveWithout) {
  EXPECT_NE(render_page(Json::object()).find("</html>"), std::string::npos);
  EXPECT_NE(render_page(Json(42)).find("</html>"), std::string::npos);
  // Remove each part of the results in turn: the rest is still a page.
  const Json whole = fixture();
  for (const auto& [key, value] : whole["results"].items()) {
    Json part = whole;
    part["results"].erase(key);
    EXPECT_NE(render_page(part).find("</html>"), std::string::npos) << key;
    part["results"][key] = "a string where something else was";
    EXPECT_NE(render_page(part).find("</html>"), std::string::npos) << key;
  }
}

TEST(Page, GateLimitsAreDrawnWhereTheLossBegins) {
  int limits = 0;
  const Json data = page::chart_data(fixture());
  for (const Json& point : data["forest"])
    if (point["limit"].is_number()) {
      EXPECT_EQ(point["limit"].get<double>(), point["row"] == "all" ? -1.0 : -3.0) << point.dump();
      ++limits;
    }
  EXPECT_EQ(limits, 6);  // three candidates, all samples and the rare ones
}

TEST(Page, NumbersReadWell) {
  EXPECT_EQ(page::change_text("choice_accuracy", -0.006), "\u22120.6");
  EXPECT_EQ(page::change_text("choice_accuracy", 0.0), "+0.0");
  EXPECT_EQ(page::value_text("choice_accuracy", 0.914), "91.4 %");
  EXPECT_EQ(page::value_text("kl", 0.01234), "0.0123");
  EXPECT_EQ(page::value_text("kl", std::nan("")), "\u2013");
  EXPECT_EQ(page::escape("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
}

TEST(Page, FrontierHoldsOnlyUndominatedCandidates) {
  Json report = fixture();
  Json worse = report["results"]["candidates"][1];  // more bytes than int8, the same tail
  worse["name"] = "wasteful";
  worse["bytes"] = 5'000'000;
  report["results"]["candidates"].push_back(worse);
  const Json data = page::chart_data(report);
  for (const Json& point : data["tradeoff"]) EXPECT_EQ(point["frontier"].get<bool>(), point["name"] != "wasteful");
}

}  // namespace
}  // namespace halftone
