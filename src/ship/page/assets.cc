// SPDX-License-Identifier: Apache-2.0
#include "ship/page/assets.h"

#include "base/embed.h"

HALFTONE_EMBED(vega_js, HALFTONE_VEGA_DIR "/vega.min.js")
HALFTONE_EMBED(vega_lite_js, HALFTONE_VEGA_DIR "/vega-lite.min.js")
HALFTONE_EMBED(vega_embed_js, HALFTONE_VEGA_DIR "/vega-embed.min.js")
HALFTONE_EMBED(page_css, HALFTONE_PAGE_DIR "/page.css")
HALFTONE_EMBED(charts_js, HALFTONE_PAGE_DIR "/charts.js")
HALFTONE_EMBED(chart_css, HALFTONE_PAGE_DIR "/chart.css")
HALFTONE_EMBED(sweep_css, HALFTONE_PAGE_DIR "/../sweep/page/sweep.css")
