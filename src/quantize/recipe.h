// SPDX-License-Identifier: Apache-2.0
// Which layout and method each tensor gets. YAML:
//   name: int4
//   rules:                         # first match wins
//     - {match: "*.mlp.*", layout: int4_block32, method: nearest}
//     - {op: embedding, layout: int8_block32}
//     - {match: "*", layout: int4_block32}
//   allow_float: ["lm_head.weight"]   # may stay as they are when their rule cannot be applied
//   transform: [awq]               # scales folded into the model first: awq, smooth, equalize, rotate
//   tune: {steps: 60}              # distil scales against the float model; rate: 0.006, batch_tokens: 2048
//   bias_correction: true          # biases take the mean error of the matrix before them; if_any: where there is one
//   activations: {bits: 8, range: error}   # static ranges of what matrices read: error, percentile (: 99.99) or max
//   mixed: {target_bits: 4.5, layouts: [int3_block32, int4_block32, int6_block32]}   # what no rule takes: by
//   measurement
// `layout: keep` leaves a tensor as found. Vectors (norms, biases) are always kept; a rule that asks only for vectors
// to be packed, and a rule or allow_float entry that hits no tensor, are errors.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "halftone/status.h"
#include "quantize/activations/options.h"
#include "quantize/mixed/mixed_options.h"
#include "quantize/tune/tune_options.h"
#include "tensor/layout.h"

namespace halftone {

struct Rule {
  std::string match = "*";  // glob over Hugging Face names: * and ?
  std::string op;  // "", or an op that reads the weight: "embedding", "linear", "norm", "bias"; of networks: conv, ...
  const Layout* layout = nullptr;  // null: keep as found
  std::string method = "nearest";
  std::string text;  // for "which rule hit which tensor": "rule 2: op embedding -> int8_block32"
};

struct Recipe {
  std::string name;
  std::vector<Rule> rules;
  std::vector<std::string> allow_float;  // globs
  std::vector<std::string> transforms;   // of transform/transform.h, in this order
  TuneOptions tune;
  bool bias_correction = false;
  bool needs_biases = true;  // bias_correction of a model without any bias is an error
  std::optional<MixedOptions> mixed;
  ActivationOptions activations;
  std::string text;  // the YAML that says all this
};

std::vector<std::string> preset_names();  // fp16, int8, int4, int4-affine64, int3, ...
// A preset name (hyphen equals underscore), or a YAML file. What a `-best` preset adds to `gptq` depends on the kind of
// model: language models are tuned, biases of networks corrected.
enum class RecipeFor : uint8_t { language_model, network };
Result<Recipe> load_recipe(std::string_view name_or_path, RecipeFor kind = RecipeFor::language_model);
// `name` stands for the file in messages.
Result<Recipe> parse_recipe(std::string_view yaml, std::string_view name);

bool glob_matches(std::string_view glob, std::string_view text);  // * any run, ? any one character

}  // namespace halftone
