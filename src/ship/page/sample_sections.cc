// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/units.h"
#include "ship/page/sections.h"
#include "ship/pictures.h"

namespace halftone::page {

namespace {

constexpr size_t kBarsShown = 5;

double probability_of(const Json& sample, const char* who, size_t i) {
  const Json& all = at(sample, std::string(who) + "_probabilities");
  return i < all.size() && all[i].is_number() ? std::clamp(all[i].get<double>(), 0.0, 1.0) : 0.0;
}

// Of many classes the right one and those that either model finds most probable, in the order given.
std::vector<size_t> shown_choices(const Json& sample, size_t count, size_t answer) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  const auto rank = [&](size_t i) {
    return i == answer ? 2.0 : std::max(probability_of(sample, "reference", i), probability_of(sample, "candidate", i));
  };
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return rank(a) > rank(b); });
  if (order.size() > kBarsShown) order.resize(kBarsShown);
  std::sort(order.begin(), order.end());
  return order;
}

std::string choice_bars(const Json& sample) {
  std::string out = R"(<div class="bars">)";
  const Json& choices = at(sample, "choices");
  const auto answer = static_cast<size_t>(integer(sample, "answer"));
  for (const size_t i : shown_choices(sample, choices.size(), answer)) {
    const double before = probability_of(sample, "reference", i), after = probability_of(sample, "candidate", i);
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

// Only what is a picture and nothing else: the report may come from anywhere.
std::string picture_of(const Json& sample, const Json& pictures) {
  const std::string suite = text(sample, "suite"), id = text(sample, "id");
  const bool known = pictures.is_object() && pictures.contains(suite) && pictures[suite].is_object() &&
                     pictures[suite].contains(id) && pictures[suite][id].is_string();
  const std::string uri = known ? pictures[suite][id].get<std::string>() : "";
  constexpr std::string_view kStart = "data:image/png;base64,";
  const auto is_base64 = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
           c == '=';
  };
  if (!uri.starts_with(kStart) || !std::all_of(uri.begin() + kStart.size(), uri.end(), is_base64)) return "";
  return fmt::format(R"(<img class="picture" alt="" src="{}">)", uri);
}

std::string sample_card(const Json& sample, const Json& pictures) {
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
  if (const std::string picture = picture_of(sample, pictures); !picture.empty())
    return fmt::format(R"(<div class="sample seen">{}<div>{}<p class="meta">{}</p></div></div>)", picture, body,
                       escape(meta));
  return fmt::format(R"(<div class="sample"><p class="ask">{}</p>{}<p class="meta">{}</p></div>)",
                     escape(text(sample, "text")), body, escape(meta));
}

std::string cards(const Json& worst, const Json& pictures) {
  std::string out = R"(<div class="samples">)";
  for (size_t i = 0; i < worst.size() && i < kWorstShown; ++i) out += sample_card(worst[i], pictures);
  return out + "</div>\n";
}

}  // namespace

std::string worst_section(const Json& report) {
  const std::string best = text(report, "results/decision/winner");
  const Json& pictures = at(report, "results/pictures");
  std::string chosen, others;
  for (const Json& candidate : at(report, "results/candidates")) {
    const Json& worst = at(candidate, "quality/worst");
    if (!worst.is_array() || worst.empty()) continue;
    const std::string name = escape(text(candidate, "name"));
    if (text(candidate, "name") == best)
      chosen = fmt::format("<h3>{}</h3>{}", name, cards(worst, pictures));
    else
      others += fmt::format("<details{}><summary>{}</summary>{}</details>",
                            best.empty() && others.empty() ? " open" : "", name, cards(worst, pictures));
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
