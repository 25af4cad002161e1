# SPDX-License-Identifier: Apache-2.0
# The style of every page that we write lies inside the binary (html_style.cc).
set_source_files_properties(${folder}/html_style.cc PROPERTIES
  COMPILE_DEFINITIONS "HALFTONE_BASE_DIR=\"${folder}\"" OBJECT_DEPENDS ${folder}/page.css)
