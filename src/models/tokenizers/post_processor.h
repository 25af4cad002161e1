// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "halftone/status.h"
#include "models/json_reader.h"
#include "models/tokenizer.h"

namespace halftone {

// The "post_processor" of a tokenizer.json, for one text: ids before and behind it.
struct PostProcessor {
  std::vector<TokenId> before, behind;
  static Result<PostProcessor> read(JsonReader& tokenizer);
};

}  // namespace halftone
