// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace halftone {

bool is_white_space(int32_t code_point);
bool is_word_character(int32_t code_point);  // letters, marks, digits, connectors

}  // namespace halftone
