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
  const std::string name = page::escape(page::text(report, "results/model/name", "model"));
  out += "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  out += R"(<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:">
)";
  out += fmt::format("<title>{}: halftone evidence</title>\n<style>\n", name);
  out += page::page_css();
  out += "</style>\n</head>\n<body>\n";
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
