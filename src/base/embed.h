// SPDX-License-Identifier: Apache-2.0
// A file linked into the binary: HALFTONE_EMBED(name, "path") defines std::string_view halftone::page::name().
// `.incbin` instead of generated arrays: no generator, no megabytes of source, and every assembler we build with has
// it. The file that uses it names its assets in room.cmake (OBJECT_DEPENDS), or changes to them are not noticed.
#pragma once

#include <cstddef>
#include <string_view>

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
