// SPDX-License-Identifier: Apache-2.0
#include "base/version.h"

namespace halftone {

std::string_view version() { return HALFTONE_VERSION; }

}  // namespace halftone
