// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "base/units.h"
#include "ship/page/sections.h"

namespace halftone::page {

namespace {

std::string interval(const Json& value) {
  if (value.is_null()) return "";
  return fmt::format(R"(<span>{}<span class="sub">[{}, {}]</span></span>)", rate_text(number(value, "median")),
                     rate_text(number(value, "low")), rate_text(number(value, "high")));
}

std::string percent(double fraction) {
  return std::isfinite(fraction) ? fmt::format("{:.0f} %", 100 * fraction) : "\u2013";
}

std::string duration(double seconds) { return std::isfinite(seconds) ? format_seconds(seconds) : "\u2013"; }

// Scalars of an object as a list of facts; numbers whose key says bytes are shown as bytes.
std::string facts(const Json& object) {
  std::string out = R"(<dl class="facts">)";
  for (const auto& [key, value] : object.items()) {
    if (value.is_null() || (value.is_string() && value.get<std::string>().empty())) continue;
    std::string label = key;
    for (char& c : label)
      if (c == '_') c = ' ';
    std::string shown;
    if (value.is_number_integer() && key.find("bytes") != std::string::npos)
      shown = format_bytes(value.get<int64_t>());
    else if (key.find("bandwidth") != std::string::npos && value.is_number())
      shown = fmt::format("{:.1f} GB/s", value.get<double>() / 1e9);
    else if (key.find("peak") != std::string::npos && value.is_number())
      shown = fmt::format("{:.0f} Gop/s", value.get<double>() / 1e9);
    else if (value.is_string())
      shown = value.get<std::string>();
    else
      shown = value.dump();
    out += fmt::format("<dt>{}</dt><dd>{}</dd>", escape(label), escape(shown));
  }
  return out + "</dl>\n";
}

std::string hash_row(std::string_view what, const std::string& hash) {
  return hash.empty() ? "" : fmt::format(R"(<dt>{}</dt><dd class="mono">{}</dd>)", escape(what), escape(hash));
}

std::string warnings(const Json& report) {
  const Json& list = at(report, "results/warnings");
  if (!list.is_array() || list.empty()) return "";
  std::string out = "<h3>Warnings of the measurement</h3><ul class=\"plain\">";
  for (const Json& line : list)
    out += fmt::format("<li>{}</li>", escape(line.is_string() ? line.get<std::string>() : line.dump()));
  return out + "</ul>\n";
}

}  // namespace

std::string latency_section(const Json& report) {
  Table table({{"recipe"}, {"load", true}, {"one sample", true}, {"samples/s", true}, {"private memory", true}});
  for (const Json& candidate : at(report, "results/candidates")) {
    const Json& speed = at(candidate, "speed");
    if (speed.is_null()) continue;
    table.row({fmt::format("<b>{}</b>", escape(text(candidate, "name"))), duration(number(speed, "load_seconds")),
               duration(number(speed, "latency/seconds/median")), interval(at(speed, "latency/samples_per_second")),
               bytes_text(integer(speed, "memory/peak_private_bytes"))});
  }
  return fmt::format(
      R"(<h2 id="speed">Speed and memory</h2><p class="note">One sample at a time on this machine, models in turn round by
round, after warming up; medians with 95&nbsp;% intervals.</p>{})",
      table.html());
}

std::string speed_section(const Json& report) {
  if (at(reference(report), "speed").contains("latency")) return latency_section(report);
  Table table({{"recipe"},
               {"load", true},
               {"first token", true},
               {"prefill tok/s", true},
               {"decode tok/s", true},
               {"of bandwidth", true},
               {"activations"}});
  int rows = 0;
  for (const Json& candidate : at(report, "results/candidates")) {
    const Json& speed = at(candidate, "speed");
    if (speed.is_null()) continue;
    table.row({fmt::format("<b>{}</b>", escape(text(candidate, "name"))), duration(number(speed, "load_seconds")),
               duration(number(speed, "first_token_seconds/median")), interval(at(speed, "prefill/tokens_per_second")),
               interval(at(speed, "decode/tokens_per_second")), percent(number(speed, "decode/bandwidth_fraction")),
               escape(text(speed, "activations"))});
    ++rows;
  }
  if (rows == 0) return "";
  return fmt::format(
      R"(<h2 id="speed">Speed and memory</h2><p class="note">Measured on this machine, models interleaved round by round, after warming up;
medians with 95&nbsp;% intervals. Quality above was scored on the same activation path.</p>{}
<figure><h3>Memory by class</h3><div class="chart" id="chart-memory"></div><figcaption>Weights are mapped from the file: clean pages that the system may drop and share.
Cache and scratch are private.</figcaption></figure>)",
      table.html());
}

std::string provenance_section(const Json& report) {
  std::string out = warnings(report) + R"(<h2 id="missing">Not measured</h2><ul class="plain">)";
  for (const Json& line : at(report, "results/not_measured"))
    out += fmt::format("<li>{}</li>", escape(line.is_string() ? line.get<std::string>() : line.dump()));
  out +=
      R"(</ul><h2 id="provenance">Check it yourself</h2><p>Every sample&#8217;s scores lie beside this page. This rebuilds each interval and verdict from them, without the model:</p>
<pre>halftone recheck .      # in the folder of this page</pre>)";
  out += R"(<dl class="facts">)";
  out += hash_row("model", text(report, "results/model/sha256"));
  out += hash_row("gate", text(report, "results/gate/sha256"));
  for (const Json& suite : at(report, "results/fixed/suites")) {
    out += hash_row("suite " + text(suite, "name"), text(suite, "file_sha256"));
    for (const Json& part : at(suite, "parts"))
      out += hash_row(fmt::format("{}, {} samples", text(part, "split"), format_count(integer(part, "samples"))),
                      text(part, "sha256"));
  }
  out += hash_row("samples.jsonl", text(report, "results/files/samples_sha256"));
  const std::string written = text(report, "results/fixed/written");
  if (!written.empty())
    out +=
        fmt::format("<dt>fixed on</dt><dd>{}, before the first score (<code>fixed.json</code>)</dd>", escape(written));
  out += "</dl>\n<div class=\"pair\"><div><h3>Machine</h3>" + facts(at(report, "machine")) +
         "</div><div><h3>Settings in effect</h3>" + facts(at(report, "settings")) + "</div></div>\n";
  return out;
}

}  // namespace halftone::page
