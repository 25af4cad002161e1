// SPDX-License-Identifier: Apache-2.0
#include "base/error.h"
#include "quantize/recipe.h"

// Any text as a recipe: refused with words, or every rule says what it does; and no glob makes the search explode.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto recipe = halftone::parse_recipe(text, "fuzz.yaml");
  if (!recipe.ok()) {
    HALFTONE_CHECK(!recipe.status().message().empty());
    return 0;
  }
  HALFTONE_CHECK(!recipe->rules.empty());
  for (const halftone::Rule& rule : recipe->rules) {
    HALFTONE_CHECK(!rule.text.empty());
    (void)halftone::glob_matches(rule.match, text);
  }
  return 0;
}
