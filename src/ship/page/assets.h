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

}  // namespace halftone::page
