// SPDX-License-Identifier: Apache-2.0
#include "ship/sweep/page/sweep_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/html.h"
#include "base/units.h"
#include "base/version.h"
#include "ship/page/assets.h"
#include "ship/sweep/conclude.h"
#include "ship/sweep/page/sweep_charts.h"

namespace halftone {
namespace page {
namespace {

constexpr size_t kCausesShown = 15;

std::string big_figure(std::string_view title, const std::string& big, const std::string& small) {
  return fmt::format("<div><dt>{}</dt><dd><div class=\"big\">{}</div><div class=\"small\">{}</div></dd></div>\n", title,
                     escape(big), escape(small));
}

std::string interval_sub(const std::optional<Interval>& interval) {
  return interval
             ? fmt::format("<span class=\"sub\">[{}, {}]</span>", nats_text(interval->low), nats_text(interval->high))
             : "";
}

std::string optional_nats(const std::optional<double>& value) { return value ? nats_text(*value) : ""; }

std::string sweep_headline(const SweepReport& report) {
  std::string out = fmt::format(
      "<header><div><p class=\"brand\"><b>halftone</b> sweep</p><h1>Where {} falls off</h1>\n<p class=\"note\">{} "
      "points of bits, "
      "granularity and method, each compared with the float model on {} ({} windows, {} tokens), in exact arithmetic. "
      "KL is the "
      "Kullback-Leibler divergence of the next token&#8217;s distribution, in nats per token.</p>\n<dl "
      "class=\"figures\">\n",
      escape(report.model), report.points.size(), escape(report.judged.text), format_count(report.judged.windows),
      format_count(report.judged.tokens));
  if (!report.knees.empty()) {
    const KneeReport& knee = report.knees[0];
    const SweepPoint& at = report.points[knee.knee.at];
    out += big_figure("Knee", fmt::format("{:.2f} bits", at.bits_per_weight), at.name);
    out += big_figure("KL there", nats_text(at.kl),
                      fmt::format("p99 {}", at.kl_p99 ? nats_text(*at.kl_p99) : "needs more tokens"));
    out += big_figure("A bit less costs", fmt::format("{:.1f} x", knee.knee.after),
                      fmt::format("before the knee {:.1f} x", knee.knee.before));
    if (!knee.alternatives.empty() && knee.alternatives[0].factor > 1)
      out += big_figure("Moved at equal bytes", fmt::format("{:.1f} x", knee.alternatives[0].factor),
                        knee.alternatives[0].point.name);
  }
  return out + "</dl></div></header>\n";
}

std::string conclusions_html(const SweepReport& report) {
  std::string out = "<h2>What the figures say</h2><ul class=\"plain\">\n";
  for (const std::string& sentence : report.conclusions) out += "<li>" + escape(sentence) + "</li>\n";
  return out + "</ul>\n";
}

std::string causes_html(const KneeReport& knee, const SweepPoint& beyond) {
  if (knee.causes.empty())
    return knee.causes_missing.empty() ? "" : fmt::format("<p class=\"note\">{}</p>\n", escape(knee.causes_missing));
  std::string out = fmt::format(
      "<h3>Tensors that make {} fall</h3><p class=\"note\">Each tensor alone stored so ({}), everything else float: "
      "mean KL on {} held-out tokens, and its share of the sum.</p><ol class=\"causes\">\n",
      escape(beyond.name), escape(knee.cause_method), format_count(knee.cause_tokens));
  const double most = std::max(knee.causes.front().share, 1e-12);
  for (size_t i = 0; i < std::min(kCausesShown, knee.causes.size()); ++i) {
    const TensorCause& cause = knee.causes[i];
    out += fmt::format(
        "<li><code>{}</code><span class=\"bar\" aria-hidden=\"true\"><i style=\"width:{:.1f}%\"></i></span><span "
        "class=\"v\">{:.1f} "
        "%</span><span class=\"v\">{}</span></li>\n",
        escape(cause.name), 100 * std::max(cause.share, 0.0) / most, 100 * cause.share, nats_text(cause.kl));
  }
  out += "</ol>\n";
  if (knee.causes.size() > kCausesShown)
    out +=
        fmt::format("<p class=\"note\">{} more in <code>sweep.json</code>.</p>\n", knee.causes.size() - kCausesShown);
  return out;
}

std::string alternatives_html(const KneeReport& knee, const SweepPoint& beyond) {
  if (knee.alternatives.empty()) return "";
  Table table({{"instead of " + beyond.name},
               {"weights", true},
               {"bits/weight", true},
               {"KL", true},
               {"p99", true},
               {"KL divided by", true}},
              "cards");
  for (const SweepAlternative& one : knee.alternatives)
    table.row({fmt::format("<b>{}</b>", escape(one.point.name)), format_bytes(one.point.bytes),
               fmt::format("{:.3f}", one.point.bits_per_weight),
               fmt::format("<span>{}{}</span>", nats_text(one.point.kl), interval_sub(one.point.kl_interval)),
               optional_nats(one.point.kl_p99), fmt::format("{:.2f} x", one.factor)});
  return fmt::format(
      "<h3>What moves it at equal bytes</h3><p class=\"note\">Measured within 3 % of the bytes of {} (KL {}).</p>\n{}",
      escape(beyond.name), nats_text(beyond.kl), table.html());
}

std::string knees_html(const SweepReport& report) {
  if (report.knees.empty()) return "";
  std::string out =
      "<h2>The knees</h2><p class=\"note\">A knee is the corner of the front&#8217;s lower convex envelope, in bits "
      "and the logarithm "
      "of KL, where the slope changes most. A healthy stretch is straight there: each bit saved multiplies KL by about "
      "the "
      "same.</p>\n";
  for (const KneeReport& knee : report.knees) {
    const SweepPoint &at = report.points[knee.knee.at], &beyond = report.points[knee.knee.beyond];
    out += fmt::format(
        "<details{}><summary>{}: {}, then {}</summary>\n<p>At {:.2f} bits per weight KL is {}; at {:.2f} it is {}. A "
        "bit saved "
        "multiplies KL by {:.1f} before the knee and by {:.1f} beyond it.</p>\n",
        &knee == &report.knees[0] ? " open" : "", escape(knee.curve), escape(at.name), escape(beyond.name),
        at.bits_per_weight, nats_text(at.kl), beyond.bits_per_weight, nats_text(beyond.kl), knee.knee.before,
        knee.knee.after);
    out += alternatives_html(knee, beyond) + causes_html(knee, beyond) + "</details>\n";
  }
  return out;
}

std::string points_html(const SweepReport& report) {
  Table table({{"point"},
               {"weights", true},
               {"bits/weight", true},
               {"KL [95\u00a0%]", true},
               {"p99", true},
               {"p99.9", true},
               {"max", true},
               {"log-perplexity", true},
               {"same top token", true},
               {"seconds", true}},
              "cards dense");
  for (size_t i = 0; i < report.points.size(); ++i) {
    const SweepPoint& point = report.points[i];
    const bool front = std::find(report.front.begin(), report.front.end(), i) != report.front.end();
    table.row({fmt::format("<b>{}</b>{}", escape(point.name), front ? " <span class=\"front\">front</span>" : ""),
               format_bytes(point.bytes), fmt::format("{:.2f}", point.bits_per_weight),
               fmt::format("<span>{}{}</span>", nats_text(point.kl), interval_sub(point.kl_interval)),
               optional_nats(point.kl_p99), optional_nats(point.kl_p999), nats_text(point.kl_max),
               fmt::format("<span>{:+.4f}{}</span>", point.loss, interval_sub(point.loss_interval)),
               fmt::format("{:.1f} %", 100 * point.same_top),
               fmt::format("{:.1f}", point.quantize_seconds + point.judge_seconds)});
  }
  return "<h2>Every point</h2><p class=\"note\">Brackets are 95&nbsp;% intervals, by bootstrap over windows. A "
         "percentile is left out "
         "when there are too few tokens to know it.</p>\n" +
         table.html();
}

std::string provenance_html(const SweepReport& report) {
  std::string out = "<h2>How it was measured</h2><dl class=\"facts\">\n";
  const auto fact = [&](std::string_view name, const std::string& value) {
    out += fmt::format("<dt>{}</dt><dd>{}</dd>\n", name, escape(value));
  };
  fact("model", fmt::format("{}, {}, {}, SHA-256 {}", report.model, report.family, format_bytes(report.source_bytes),
                            report.source_sha256));
  fact("judged on",
       fmt::format(
           "{}: {} windows, {} tokens{}", report.judged.text, report.judged.windows, format_count(report.judged.tokens),
           report.judged.left_out > 0
               ? fmt::format("; {} windows left out, because the calibration repeats them", report.judged.left_out)
               : ""));
  if (!report.calibration.is_null())
    fact("calibration",
         fmt::format("{}, {} tokens", report.calibration.value("path", ""), report.calibration.value("tokens", 0)));
  fact("measured", fmt::format("{} points now, {} by earlier runs, in {}", report.measured, report.resumed,
                               format_seconds(report.seconds)));
  for (const LeftOut& one : report.left_out) fact("left out", one.what + ": " + one.why);
  return out + "</dl>\n";
}

std::string figure_html(const char* id, const char* title, const Chart& chart, const char* caption) {
  const std::string drawn = render_chart(chart);
  if (drawn.empty()) return "";
  return fmt::format("<h2 id=\"{}\">{}</h2><figure>{}<figcaption>{}</figcaption></figure>\n", id, title, drawn,
                     caption);
}

}  // namespace
}  // namespace page

std::string render_sweep_page(const SweepReport& report) {
  std::string css(page::chart_css());
  css += page::sweep_css();
  std::string out = page::page_head(report.model + ": halftone sweep", css);
  out += page::sweep_headline(report) + "<main>\n" + page::conclusions_html(report);
  out += page::figure_html(
      "surface", "The surface", page::surface_chart(report),
      "Lower is closer to the float model, further left is smaller. Shapes are granularities; a line joins "
      "the points of its method that no other of it beats. The vertical axis is logarithmic.");
  out += page::figure_html(
      "tails", "The tails", page::tail_chart(report),
      "Along the front of all methods. Where the tail rises faster than the mean, the damage is in few tokens.");
  out += page::knees_html(report) + page::points_html(report) + page::provenance_html(report);
  out += fmt::format(
      "</main>\n<footer><div>Written by halftone {} on {}. This page makes no network requests.</div></footer>\n",
      version(), utc_now());
  return out + "</body>\n</html>\n";
}

}  // namespace halftone
