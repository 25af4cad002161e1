// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "ship/page/sections.h"

namespace halftone::page {

namespace {

constexpr size_t kWorstShown = 6;

std::string choice_bars(const Json& sample) {
  std::string out = R"(<div class="bars">)";
  const Json& choices = at(sample, "choices");
  const auto answer = static_cast<size_t>(integer(sample, "answer"));
  for (size_t i = 0; i < choices.size(); ++i) {
    const auto probability = [&](const char* who) {
      const Json& all = at(sample, std::string(who) + "_probabilities");
      return i < all.size() && all[i].is_number() ? std::clamp(all[i].get<double>(), 0.0, 1.0) : 0.0;
    };
    const double before = probability("reference"), after = probability("candidate");
    out += fmt::format(
        R"(<span{}>{}</span><span class="b"><i style="width:{:.1f}%"></i><i style="width:{:.1f}%"></i></span><span class="v">{:.2f}<br>{:.2f}</span>)",
        i == answer ? R"( class="right")" : "",
        escape(choices[i].is_string() ? choices[i].get<std::string>() : choices[i].dump()), before * 100, after * 100,
        before, after);
  }
  return out + "</div>";
}

// A token between quotation marks; a line end would not be seen.
std::string token_text(const Json& sample, std::string_view key) {
  std::string out;
  for (char c : text(sample, key)) {
    if (c == '\n')
      out += "\u21b5";
    else
      out += c;
  }
  return escape(out);
}

std::string sample_card(const Json& sample) {
  std::string meta = text(sample, "id");
  for (const auto& [key, value] : at(sample, "slices").items())
    meta += fmt::format(" · {} {}", key, value.is_string() ? value.get<std::string>() : value.dump());
  std::string body;
  if (at(sample, "choices").is_array())
    body = choice_bars(sample);
  else if (!text(sample, "expected").empty())
    body = fmt::format(
        R"(<p class="next">next in the text <q>{}</q></p><div><span class="key"></span><q>{}</q></div><div><span class="key c"></span><q>{}</q></div>)",
        token_text(sample, "expected"), token_text(sample, "reference"), token_text(sample, "candidate"));
  if (std::isfinite(number(sample, "loss"))) meta += fmt::format(" · loss {:.3f}", number(sample, "loss"));
  return fmt::format(R"(<div class="sample"><p class="ask">{}</p>{}<p class="meta">{}</p></div>)",
                     escape(text(sample, "text")), body, escape(meta));
}

std::string cards(const Json& worst) {
  std::string out = R"(<div class="samples">)";
  for (size_t i = 0; i < worst.size() && i < kWorstShown; ++i) out += sample_card(worst[i]);
  return out + "</div>\n";
}

}  // namespace

std::string worst_section(const Json& report) {
  const std::string best = text(report, "results/decision/winner");
  std::string chosen, others;
  for (const Json& candidate : at(report, "results/candidates")) {
    const Json& worst = at(candidate, "quality/worst");
    if (!worst.is_array() || worst.empty()) continue;
    const std::string name = escape(text(candidate, "name"));
    if (text(candidate, "name") == best)
      chosen = fmt::format("<h3>{}</h3>{}", name, cards(worst));
    else
      others += fmt::format("<details{}><summary>{}</summary>{}</details>",
                            best.empty() && others.empty() ? " open" : "", name, cards(worst));
  }
  if (chosen.empty() && others.empty()) return "";
  return fmt::format(
      R"(<h2 id="worst">Worst samples</h2><p class="note"><span class="key"></span>float &nbsp; <span class="key c"></span>candidate.
The right answer is bold. Every sample is in <code>samples.jsonl</code>.</p>{}{})",
      chosen, others);
}

std::string tensors_section(const Json& report) {
  const Json& shown =
      winner(report).is_null() || !at(winner(report), "tensors").is_array() ? Json() : at(winner(report), "tensors");
  if (shown.empty()) return "";
  std::vector<const Json*> order;
  for (const Json& tensor : shown)
    if (number(tensor, "relative_rms_error") > 0) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const Json* a, const Json* b) {
    return number(*a, "relative_rms_error") > number(*b, "relative_rms_error");
  });
  Table table(
      {{"tensor"}, {"layout"}, {"rule"}, {"bits/weight", true}, {"relative error", true}, {"largest error", true}},
      "slim");
  for (size_t i = 0; i < order.size() && i < 10; ++i) {
    const Json& tensor = *order[i];
    table.row({fmt::format("<code>{}</code>", escape(text(tensor, "name"))), escape(text(tensor, "layout")),
               escape(text(tensor, "rule")), fmt::format("{:.2f}", number(tensor, "bits_per_weight")),
               fmt::format("{:.2f} %", 100 * number(tensor, "relative_rms_error")),
               fmt::format("{:.4f}", number(tensor, "max_abs_error"))});
  }
  return fmt::format(
      R"(<h2 id="tensors">Where the rounding is</h2><p class="note">{}: {} tensors. Error of the stored weights against float,
root mean square, relative to the weights. It tells where to spend bits; the gate judges answers, not weights.</p>
<figure><div class="chart" id="chart-tensors"></div></figure>{})",
      escape(text(winner(report), "name")), format_count(static_cast<int64_t>(shown.size())), table.html());
}

}  // namespace halftone::page
