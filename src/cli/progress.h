// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "base/progress.h"

namespace halftone::cli {

// On a terminal: a bar that is redrawn on standard error and goes when its work is done. Elsewhere: a line when work
// begins and one every ten seconds. Quiet: nothing.
std::unique_ptr<Progress> make_progress(bool quiet);

}  // namespace halftone::cli
