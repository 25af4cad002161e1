// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace halftone::page {

std::string_view profile_css();
std::string_view profile_js();

}  // namespace halftone::page
