// SPDX-License-Identifier: Apache-2.0
#include "base/embed.h"
#include "base/html.h"

HALFTONE_EMBED(base_css, HALFTONE_BASE_DIR "/page.css")
