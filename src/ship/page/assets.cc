// SPDX-License-Identifier: Apache-2.0
// `.incbin` instead of generated arrays: no generator, no megabytes of source, and every assembler we build with has
// it.
#include "ship/page/assets.h"

#if defined(__APPLE__)
#define HALFTONE_SECTION ".section __TEXT,__const\n"
#define HALFTONE_SYMBOL(name) "_" name
#else
#define HALFTONE_SECTION ".section .rodata\n"
#define HALFTONE_SYMBOL(name) name
#endif

#define HALFTONE_EMBED(name, path)                                                                          \
  __asm__(HALFTONE_SECTION ".balign 16\n"                                       \
          ".globl " HALFTONE_SYMBOL("halftone_" #name "_begin") "\n"            \
          ".globl " HALFTONE_SYMBOL("halftone_" #name "_end") "\n"              \
          HALFTONE_SYMBOL("halftone_" #name "_begin") ":\n.incbin \"" path "\"\n" \
          HALFTONE_SYMBOL("halftone_" #name "_end") ":\n.byte 0\n.text\n");                           \
  extern "C" const char halftone_##name##_begin[], halftone_##name##_end[];                                 \
  std::string_view halftone::page::name() {                                                                 \
    return {halftone_##name##_begin, static_cast<size_t>(halftone_##name##_end - halftone_##name##_begin)}; \
  }

HALFTONE_EMBED(vega_js, HALFTONE_VEGA_DIR "/vega.min.js")
HALFTONE_EMBED(vega_lite_js, HALFTONE_VEGA_DIR "/vega-lite.min.js")
HALFTONE_EMBED(vega_embed_js, HALFTONE_VEGA_DIR "/vega-embed.min.js")
HALFTONE_EMBED(page_css, HALFTONE_PAGE_DIR "/page.css")
HALFTONE_EMBED(charts_js, HALFTONE_PAGE_DIR "/charts.js")
