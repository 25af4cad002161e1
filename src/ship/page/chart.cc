// SPDX-License-Identifier: Apache-2.0
#include "ship/page/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/html.h"

namespace halftone::page {
namespace {

struct ChartSize {
  const char* css;
  double width, height, left, right, top, bottom;
  int x_ticks, y_ticks;
};
constexpr ChartSize kChartSizes[] = {{"wide", 960, 400, 78, 18, 26, 50, 10, 8},
                                     {"narrow", 360, 330, 56, 10, 26, 48, 5, 6}};

constexpr size_t kChartStyles = 6, kChartShapes = 8;

struct ChartRange {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// Where numbers lie in one size of a chart.
class ChartFrame {
 public:
  ChartFrame(const Chart& chart, const ChartSize& size) : size_(size), log_(chart.log_y) {
    for (const ChartSeries& series : chart.series)
      for (const ChartMark& mark : series.marks) {
        x_.add(mark.x);
        for (const double y : {mark.y, mark.low, mark.high})
          if (!log_ || y > 0) y_.add(y);
      }
    pad(x_, 0.04, 0.5);
    if (log_)
      pad_log();
    else
      pad(y_, 0.08, 0.01);
  }

  bool empty() const { return !(x_.low < x_.high) || !(y_.low < y_.high); }
  double x(double value) const {
    return size_.left + (value - x_.low) / (x_.high - x_.low) * (size_.width - size_.left - size_.right);
  }
  double y(double value) const {
    const double part =
        log_ ? (std::log(std::max(value, y_.low)) - std::log(y_.low)) / (std::log(y_.high) - std::log(y_.low))
             : (value - y_.low) / (y_.high - y_.low);
    return size_.height - size_.bottom - part * (size_.height - size_.top - size_.bottom);
  }
  std::vector<double> x_ticks() const { return linear_ticks(x_.low, x_.high, size_.x_ticks); }
  std::vector<double> y_ticks() const {
    return log_ ? log_ticks(y_.low, y_.high, size_.y_ticks) : linear_ticks(y_.low, y_.high, size_.y_ticks);
  }
  const ChartSize& size() const { return size_; }

 private:
  static void pad(ChartRange& range, double share, double least) {
    const double more = std::max((range.high - range.low) * share, range.high > range.low ? 0 : least);
    range.low -= more;
    range.high += more;
  }
  void pad_log() {
    y_.low /= 1.4;
    y_.high *= 1.4;
  }

  const ChartSize& size_;
  bool log_;
  ChartRange x_, y_;
};

// Around (0, 0), about 5 units in radius.
constexpr const char* kShapePaths[kChartShapes] = {
    "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0z",
    "M-4.5,-4.5h9v9h-9z",
    "M0,-6L5.5,4.5h-11z",
    "M0,-6.3L6.3,0L0,6.3L-6.3,0z",
    "M0,6L5.5,-4.5h-11z",
    "M-2,-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
    "M0,-6L6,-1.5L3.5,5h-7L-6,-1.5z",
    "M-6,0L-3,-5.2h6L6,0L3,5.2h-6z",
};

std::string shape_svg(size_t shape, size_t style, double x, double y, const std::string& told) {
  const std::string title = told.empty() ? "" : fmt::format("<title>{}</title>", escape(told));
  return fmt::format(R"svg(<path class="m s{}" transform="translate({:.1f} {:.1f})" d="{}">{}</path>)svg",
                     style % kChartStyles, x, y, kShapePaths[shape % kChartShapes], title);
}

std::string axes_svg(const Chart& chart, const ChartFrame& frame) {
  const ChartSize& size = frame.size();
  const double right = size.width - size.right, bottom = size.height - size.bottom;
  std::string out;
  for (const double tick : frame.y_ticks())
    out +=
        fmt::format(R"(<path class="g" d="M{:.1f},{:.1f}H{:.1f}"/><text x="{:.1f}" y="{:.1f}" class="e">{:g}</text>)",
                    size.left, frame.y(tick), right, size.left - 8, frame.y(tick) + 4, tick);
  for (const double tick : frame.x_ticks())
    out +=
        fmt::format(R"(<path class="g" d="M{:.1f},{:.1f}V{:.1f}"/><text x="{:.1f}" y="{:.1f}" class="c">{:g}</text>)",
                    frame.x(tick), size.top, bottom, frame.x(tick), bottom + 19, tick);
  out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" class="c t">{}</text>)", (size.left + right) / 2, size.height - 8,
                     escape(chart.x_title));
  return out + fmt::format(R"(<text x="4" y="14" class="t">{}</text>)", escape(chart.y_title));
}

std::string notes_svg(const Chart& chart, const ChartFrame& frame) {
  const ChartSize& size = frame.size();
  const double bottom = size.height - size.bottom;
  std::string out;
  double line = 0;
  for (const ChartNote& note : chart.notes) {
    const double x = frame.x(note.x);
    const bool left = x > size.width * 0.55;  // the word goes where there is room
    out += fmt::format(
        R"(<path class="k" d="M{:.1f},{:.1f}V{:.1f}"/><text x="{:.1f}" y="{:.1f}" class="n{}">{}</text>)", x, size.top,
        bottom, x + (left ? -6 : 6), size.top + 14 + 15 * line++, left ? " e" : "", escape(note.text));
  }
  return out;
}

std::string series_svg(const ChartSeries& series, const ChartFrame& frame) {
  const size_t style = series.style % kChartStyles;
  std::string out, path;
  for (const auto& [x, y] : series.line)
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? 'M' : 'L', frame.x(x), frame.y(y));
  if (!path.empty()) out += fmt::format(R"(<path class="l s{}" d="{}"/>)", style, path);
  for (const ChartMark& mark : series.marks)
    if (std::isfinite(mark.low) && std::isfinite(mark.high))
      out += fmt::format(R"(<path class="i s{}" d="M{:.1f},{:.1f}V{:.1f}"/>)", style, frame.x(mark.x),
                         frame.y(mark.low), frame.y(mark.high));
  for (const ChartMark& mark : series.marks)
    out += shape_svg(mark.shape, style, frame.x(mark.x), frame.y(mark.y), mark.told);
  return out + "\n";
}

std::string legend_html(const Chart& chart) {
  if (chart.series.empty() || (chart.series.size() < 2 && chart.shapes.empty())) return "";
  std::string out = R"(<ul class="legend">)";
  for (const ChartSeries& series : chart.series) {
    if (series.name.empty()) continue;
    const std::string line =
        series.line.empty() ? "" : fmt::format(R"(<path class="l s{}" d="M0,7H34"/>)", series.style % kChartStyles);
    out += fmt::format(R"(<li><svg width="34" height="14" aria-hidden="true">{}{}</svg>{}</li>)", line,
                       shape_svg(0, series.style, 17, 7, ""), escape(series.name));
  }
  if (!chart.shapes.empty() && !chart.series[0].name.empty()) out += R"(</ul><ul class="legend">)";
  for (size_t i = 0; i < chart.shapes.size(); ++i)
    out += fmt::format(
        R"svg(<li><svg width="14" height="14" aria-hidden="true"><path class="m any" transform="translate(7 7)" d="{}"/></svg>{}</li>)svg",
        kShapePaths[i % kChartShapes], escape(chart.shapes[i]));
  return out + "</ul>";
}

// The multiples of a step that is 1, 2 or 5 times a power of ten.
double round_step(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (power * factor >= least * (1 - 1e-9)) return power * factor;
  return power * 10;
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, int count) {
  const double step = round_step((high - low) / count);
  std::vector<double> ticks;
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + step * 1e-9; ++i) ticks.push_back(i * step);
  return ticks;
}

std::vector<double> log_ticks(double low, double high, int count) {
  const std::vector<std::vector<double>> choices = {{1, 2, 5}, {1, 3}, {1}};
  std::vector<double> ticks;
  for (const std::vector<double>& factors : choices) {
    ticks.clear();
    for (double power = std::floor(std::log10(low)); power <= std::log10(high); ++power)
      for (const double factor : factors)
        if (const double tick = factor * std::pow(10, power); tick >= low && tick <= high) ticks.push_back(tick);
    if (static_cast<int>(ticks.size()) <= count) break;
  }
  return ticks;
}

std::string render_chart(const Chart& chart) {
  std::string out = legend_html(chart);
  for (const ChartSize& size : kChartSizes) {
    const ChartFrame frame(chart, size);
    if (frame.empty()) return "";
    const std::string id = fmt::format("{}-{}", chart.id, size.css);
    out += fmt::format(
        R"(<svg class="drawn {}" viewBox="0 0 {:g} {:g}" role="img" aria-labelledby="{}-t {}-d"><title id="{}-t">{}</title><desc id="{}-d">{}</desc>)",
        size.css, size.width, size.height, id, id, id, escape(chart.title), id, escape(chart.description));
    out += axes_svg(chart, frame) + notes_svg(chart, frame);
    for (const ChartSeries& series : chart.series) out += series_svg(series, frame);
    out += "</svg>\n";
  }
  return out;
}

}  // namespace halftone::page
