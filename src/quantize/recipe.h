// SPDX-License-Identifier: Apache-2.0
// Which layout and method each tensor gets. YAML:
//   name: int4
//   rules:                         # first match wins
//     - {match: "*.norm*", layout: keep}
//     - {op: embedding, layout: int8_block32}
//     - {match: "*", layout: int4_block32, method: nearest}
//   allow_float: ["lm_head.weight"]   # may stay as they are when their rule cannot be applied
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"
#include "halftone/status.h"
#include "tensor/layout.h"

namespace halftone {

struct Rule {
  std::string match = "*";  // glob over Hugging Face names: * and ?
  std::string op;           // "", or an op that reads the weight: "embedding", "linear", "norm", "bias"
  const Layout* layout = nullptr;  // null: keep as found
  std::string method = "nearest";
  std::string text;  // as written, for "which rule hit which tensor"
};

struct Recipe {
  std::string name;
  std::vector<Rule> rules;
  std::vector<std::string> allow_float;
};

std::vector<std::string> preset_names();  // fp16 bf16 int8 int8-block int4 int4-channel
// A preset name, or a YAML file.
Result<Recipe> load_recipe(std::string_view name_or_path);

}  // namespace halftone
