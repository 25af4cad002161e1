# SPDX-License-Identifier: Apache-2.0
# The evidence page carries its style, its charts and Vega inside the binary (page/assets.cc).
set(assets ${CMAKE_SOURCE_DIR}/third_party/vega/vega.min.js ${CMAKE_SOURCE_DIR}/third_party/vega/vega-lite.min.js
           ${CMAKE_SOURCE_DIR}/third_party/vega/vega-embed.min.js ${folder}/page/page.css ${folder}/page/charts.js
           ${folder}/page/chart.css ${folder}/sweep/page/sweep.css)
set_source_files_properties(${folder}/page/assets.cc PROPERTIES
  COMPILE_DEFINITIONS "HALFTONE_VEGA_DIR=\"${CMAKE_SOURCE_DIR}/third_party/vega\";HALFTONE_PAGE_DIR=\"${folder}/page\""
  OBJECT_DEPENDS "${assets}")
