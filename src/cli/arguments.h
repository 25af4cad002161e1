// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace halftone::cli {

// The arguments after the program's name, in CLI11's order (last first). In option names a hyphen equals an underscore.
std::vector<std::string> normalized_arguments(int argc, char** argv);

}  // namespace halftone::cli
