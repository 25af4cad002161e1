// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace halftone::cli {

// The arguments after the program's name, in CLI11's order (last first). In option names a hyphen equals an underscore.
std::vector<std::string> normalized_arguments(int argc, char** argv);

// \n, \t and \\ in a prompt stand for a new line, a tab and a backslash; other backslashes stay.
std::string unescaped(std::string_view text);

}  // namespace halftone::cli
