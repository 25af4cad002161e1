// SPDX-License-Identifier: Apache-2.0
#include "ship/page/page.h"

#include <fmt/format.h>

#include "ship/page/assets.h"
#include "ship/page/sections.h"

namespace halftone {

namespace {

using page::Json;

// Without the pointer to a source map, which developer tools would fetch.
std::string_view script(std::string_view code) {
  const size_t map = code.rfind("\n//# sourceMappingURL");
  return map == std::string_view::npos ? code : code.substr(0, map);
}

}  // namespace

std::string render_page(const nlohmann::ordered_json& report) {
  std::string out;
  out.reserve(1 << 20);
  out += page::page_head(page::text(report, "results/model/name", "model") + ": halftone evidence",
                         std::string(page::page_css()) + std::string(page::chart_css()));
  out += page::headline(report);
  out += "<main>\n<noscript><p class=\"note\">Charts need scripts; every figure is in the tables.</p></noscript>\n";
  out += page::gate_section(report);
  out += page::candidates_section(report);
  out += page::tail_section(report);
  out += page::confirm_section(report);
  out += page::worst_section(report);
  out += page::tensors_section(report);
  out += page::speed_section(report);
  out += page::provenance_section(report);
  out += "</main>\n";
  out += fmt::format("<footer><div>Written by halftone {} on {}. This page makes no network requests.</div></footer>\n",
                     page::escape(page::text(report, "halftone")),
                     page::escape(page::text(report, "created", "this machine")));
  out += "<script type=\"application/json\" id=\"chart-data\">" + page::script_json(page::chart_data(report)) +
         "</script>\n";
  for (std::string_view code : {page::vega_js(), page::vega_lite_js(), page::vega_embed_js(), page::charts_js()}) {
    out += "<script>";
    out += script(code);
    out += "\n</script>\n";
  }
  return out + "</body>\n</html>\n";
}

}  // namespace halftone
