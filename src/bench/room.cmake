# SPDX-License-Identifier: Apache-2.0
# The profile page carries its style and script inside the binary.
set_source_files_properties(${folder}/page/assets.cc PROPERTIES
  COMPILE_DEFINITIONS "HALFTONE_BENCH_PAGE_DIR=\"${folder}/page\""
  OBJECT_DEPENDS "${folder}/page/profile.css;${folder}/page/profile.js")
