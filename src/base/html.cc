// SPDX-License-Identifier: Apache-2.0
#include "base/html.h"

#include <fmt/format.h>

namespace halftone::page {

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string script_json(const Json& value) {
  const std::string plain = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  std::string out;
  out.reserve(plain.size());
  for (char c : plain) {
    if (c == '<')
      out += "\\u003c";
    else if (c == '>')
      out += "\\u003e";
    else if (c == '&')
      out += "\\u0026";
    else
      out += c;
  }
  return out;
}

std::string page_head(std::string_view title, std::string_view css) {
  std::string out = "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  out += R"(<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:">
)";
  out += fmt::format("<title>{}</title>\n<style>\n", escape(title));
  out += base_css();
  out += css;
  return out + "</style>\n</head>\n<body>\n";
}

void Table::row(const std::vector<std::string>& cells, std::string_view css) {
  rows_ += css.empty() ? std::string("<tr>") : fmt::format(R"(<tr class="{}">)", css);
  for (size_t i = 0; i < columns_.size(); ++i) {
    const Column& column = columns_[i];
    const std::string kind = column.numeric ? "n" : column.css;
    rows_ += fmt::format(R"(<td{} data-label="{}">{}</td>)", kind.empty() ? "" : fmt::format(R"( class="{}")", kind),
                         escape(column.header), i < cells.size() ? cells[i] : "");
  }
  rows_ += "</tr>\n";
}

std::string Table::html() const {
  std::string head;
  for (const Column& column : columns_)
    head += fmt::format("<th{}>{}</th>", column.numeric ? R"( class="n")" : "", escape(column.header));
  return fmt::format(R"(<div class="scroll"><table class="{}"><thead><tr>{}</tr></thead><tbody>
{}</tbody></table></div>
)",
                     css_, head, rows_);
}

}  // namespace halftone::page
