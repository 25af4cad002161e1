// SPDX-License-Identifier: Apache-2.0
#include "bench/page/assets.h"

#include "base/embed.h"

HALFTONE_EMBED(profile_css, HALFTONE_BENCH_PAGE_DIR "/profile.css")
HALFTONE_EMBED(profile_js, HALFTONE_BENCH_PAGE_DIR "/profile.js")
