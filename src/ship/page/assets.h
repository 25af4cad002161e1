// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace halftone::page {

// Files linked into the binary. They live as long as the program.
std::string_view vega_js();
std::string_view vega_lite_js();
std::string_view vega_embed_js();
std::string_view page_css();
std::string_view charts_js();
std::string_view chart_css();  // of charts drawn in C++ (chart.h)
std::string_view sweep_css();

}  // namespace halftone::page
