// Draws the page's charts from the data block. Colours come from the page's style, so light and dark agree.
(function () {
  "use strict";
  var data = JSON.parse(document.getElementById("chart-data").textContent);
  var css = function (name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); };
  var narrow = function () { return document.body.clientWidth < 640; };
  var verdicts = ["reference", "pass", "inconclusive", "fail", "other"];

  function config() {
    return {
      background: null, font: css("--sans"), padding: 2,
      axis: { labelColor: css("--soft"), titleColor: css("--soft"), titleFontWeight: 500, labelFontSize: 11.5, titleFontSize: 12,
              gridColor: css("--line"), domainColor: css("--line"), tickColor: css("--line"), titlePadding: 9 },
      legend: { labelColor: css("--ink"), titleColor: css("--soft"), labelFontSize: 12, titleFontSize: 12, titleFontWeight: 500,
                orient: "top", direction: "horizontal", columns: narrow() ? 2 : 5, padding: 2, offset: 6, symbolStrokeWidth: 2 },
      view: { stroke: null }, text: { color: css("--ink"), fontSize: 12.5 }, rule: { color: css("--soft") },
      header: { labelColor: css("--ink"), titleColor: css("--soft") }
    };
  }
  // Candidates keep one colour each on the whole page; the reference is grey.
  function candidateScale() {
    var names = data.candidates;
    var light = ["#27548a", "#c2703a", "#5a8f3d", "#8d4b8f", "#b03a48", "#2f8f8a", "#7a6a2f", "#5b5fa8"];
    var dark = ["#8fb8ea", "#eba26c", "#9ccb7e", "#d59ad7", "#f08f99", "#7fd0ca", "#cdbb76", "#b0b3f0"];
    var range = window.matchMedia("(prefers-color-scheme: dark)").matches ? dark : light;
    return { domain: names, range: names.map(function (_, i) { return range[i % range.length]; }) };
  }
  function verdictScale() {
    return { domain: verdicts, range: [css("--accent"), css("--pass"), css("--unsure"), css("--fail"), css("--faint")] };
  }

  function tradeoff() {
    var x = { field: "bytes_mb", type: "quantitative", title: "Weights on disk, MB", scale: { zero: true, nice: true }, axis: { grid: true, tickCount: narrow() ? 4 : 7 } };
    var y = { field: "tail", type: "quantitative", title: data.tail_title, scale: { type: "symlog", constant: 0.01, domain: [0, data.tail_top] },
              axis: { grid: true, values: data.tail_ticks, format: data.tail_format } };
    var size = { field: "decode", type: "quantitative", title: data.speed_title, scale: { zero: true, range: [50, 600] },
                 legend: narrow() ? null : { orient: "right", direction: "vertical", columns: 1, values: data.decode_ticks, symbolFillColor: "transparent", symbolStrokeColor: css("--soft") } };
    return {
      height: narrow() ? 270 : 340, width: "container", data: { values: data.tradeoff },
      encoding: { x: x, y: y },
      layer: [
        { mark: { type: "line", color: css("--faint"), strokeDash: [3, 4], strokeWidth: 1.2 }, transform: [{ filter: "datum.frontier" }], encoding: { order: { field: "bytes_mb" } } },
        { mark: { type: "point", filled: true, opacity: 0.85, stroke: css("--paper"), strokeWidth: 1.5 },
          encoding: { size: size, color: { field: "verdict", type: "nominal", scale: verdictScale(), title: null, legend: { values: data.verdicts_present } },
                      tooltip: [{ field: "name", title: "recipe" }, { field: "bytes_text", title: "bytes" }, { field: "tail_text", title: data.tail_title },
                                { field: "decode_text", title: "speed" }, { field: "verdict" }] } },
        { mark: { type: "text", align: "left", baseline: "bottom", dx: 9, dy: -7, fontWeight: 600 }, transform: [{ filter: "!datum.right_half" }], encoding: { text: { field: "name" } } },
        { mark: { type: "text", align: "right", baseline: "bottom", dx: 2, dy: -11, fontWeight: 600 }, transform: [{ filter: "datum.right_half" }], encoding: { text: { field: "name" } } }
      ]
    };
  }

  function forest() {
    var rows = data.forest_rows.length, per = data.candidates.length;
    return {
      height: { step: Math.max(11, narrow() ? 12 : 14) }, width: "container", data: { values: data.forest },
      encoding: {
        y: { field: "row", type: "nominal", sort: data.forest_rows, title: null, scale: { paddingInner: rows > 1 ? 0.32 : 0, paddingOuter: 0.15 },
             axis: { grid: false, ticks: false, domain: false, labelLimit: narrow() ? 110 : 230, labelColor: css("--ink"), labelFontSize: 12 } },
        yOffset: per > 1 ? { field: "name", sort: data.candidates } : undefined
      },
      layer: [
        { mark: { type: "rule", color: css("--faint"), strokeWidth: 1 }, data: { values: [{ x: 0 }] },
          encoding: { x: { field: "x", type: "quantitative" }, y: null, yOffset: null } },
        { mark: { type: "rule", strokeWidth: 2.2, strokeCap: "round" },
          encoding: {
            x: { field: "low", type: "quantitative", title: data.forest_title, scale: { type: "symlog", constant: data.forest_constant, domain: data.forest_domain },
                 axis: { values: data.forest_ticks, format: data.forest_format, grid: true } },
            x2: { field: "high" },
            color: { field: "name", type: "nominal", scale: candidateScale(), title: null } } },
        { mark: { type: "point", filled: true, size: 46, opacity: 1 },
          encoding: { x: { field: "delta", type: "quantitative" }, color: { field: "name", type: "nominal", scale: candidateScale() },
                      tooltip: [{ field: "name", title: "recipe" }, { field: "row", title: "slice" }, { field: "text", title: "change" }, { field: "n" }] } },
        { mark: { type: "tick", color: css("--fail"), thickness: 2.5, size: Math.max(13, 13 * per) }, transform: [{ filter: "isValid(datum.limit) && datum.first" }],
          encoding: { x: { field: "limit", type: "quantitative" }, yOffset: null, tooltip: [{ field: "limit_text", title: "gate's limit" }] } }
      ]
    };
  }

  function tail() {
    return {
      height: narrow() ? 250 : 310, width: "container", data: { values: data.tail },
      layer: [
        { mark: { type: "line", interpolate: "step-after", strokeWidth: 2.2 },
          encoding: {
            x: { field: "value", type: "quantitative", title: data.tail_axis, scale: { type: "log", nice: false }, axis: { format: data.tail_format, tickCount: 4, grid: true } },
            y: { field: "share", type: "quantitative", title: "Share of samples beyond", scale: { type: "log", nice: false, domain: [data.tail_least_share, 1] }, axis: { format: "~%", tickCount: 4 } },
            color: { field: "name", type: "nominal", scale: candidateScale(), title: null } } },
        { mark: { type: "rule", strokeDash: [2, 4], color: css("--faint") }, data: { values: [{ y: 0.05, t: "p95" }, { y: 0.01, t: "p99" }] },
          encoding: { y: { field: "y", type: "quantitative" } } },
        { mark: { type: "text", align: "right", dy: -7, dx: -3, color: css("--soft"), fontSize: 11 }, data: { values: [{ y: 0.05, t: "p95" }, { y: 0.01, t: "p99" }] },
          encoding: { y: { field: "y", type: "quantitative" }, x: { value: "width" }, text: { field: "t" } } }
      ]
    };
  }

  function memory() {
    return {
      height: { step: 32 }, width: "container", data: { values: data.memory },
      mark: { type: "bar", height: 17 },
      encoding: {
        y: { field: "name", type: "nominal", sort: data.memory_names, title: null, axis: { ticks: false, domain: false, labelColor: css("--ink"), labelFontSize: 12 } },
        x: { field: "mb", type: "quantitative", title: "MB", stack: "zero", axis: { tickCount: 5 } },
        order: { field: "rank" },
        color: { field: "kind", type: "nominal", title: null,
                 scale: { domain: data.memory_kinds, range: [css("--accent"), css("--unsure"), css("--faint")] } },
        tooltip: [{ field: "name", title: "model" }, { field: "kind" }, { field: "text", title: "bytes" }]
      }
    };
  }

  function tensors() {
    return {
      height: { step: 25 }, width: "container", data: { values: data.tensors },
      mark: { type: "rect", cornerRadius: 3, stroke: css("--paper"), strokeWidth: 2 },
      encoding: {
        x: { field: "layer", type: "ordinal", title: "Layer", axis: { labelAngle: 0, ticks: false, domain: false, labelOverlap: true } },
        y: { field: "kind", type: "nominal", sort: data.tensor_kinds, title: null, axis: { ticks: false, domain: false, labelColor: css("--ink") } },
        color: { field: "error", type: "quantitative", title: "Relative error of the weights", scale: { range: [css("--accent-wash"), css("--accent")] },
                 legend: { format: "~%", gradientLength: narrow() ? 150 : 220, gradientThickness: 10 } },
        tooltip: [{ field: "name", title: "tensor" }, { field: "layout" }, { field: "error", title: "relative error", format: ".3%" }]
      }
    };
  }

  var charts = { tradeoff: tradeoff, forest: forest, tail: tail, memory: memory, tensors: tensors };
  function draw() {
    Object.keys(charts).forEach(function (name) {
      var place = document.getElementById("chart-" + name);
      if (!place || !data[name] || !data[name].length) return;
      var spec = charts[name]();
      spec.$schema = "https://vega.github.io/schema/vega-lite/v6.json";
      spec.autosize = { type: "fit-x", contains: "padding" };
      spec.config = config();
      vegaEmbed(place, spec, { renderer: "svg", actions: false, tooltip: { theme: "custom" } }).catch(function (error) {
        place.textContent = "This chart could not be drawn: " + error.message;
      });
    });
  }
  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  var wide = !narrow();
  window.addEventListener("resize", function () { if (wide === narrow()) { wide = !narrow(); draw(); } });
})();
