// SPDX-License-Identifier: Apache-2.0
#include "models/synth/tiny_tokenizer.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "models/tokenizers/byte_alphabet.h"

namespace halftone {
namespace {

constexpr std::string_view kBegin = "<|begin_of_text|>", kEnd = "<|end_of_text|>";
constexpr std::string_view kRegex =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Bytes, not alphabet characters; every part is a byte or an earlier merge.
constexpr std::array<std::pair<std::string_view, std::string_view>, 30> kMerges = {{
    {" ", "t"}, {"h", "e"},   {" ", "a"},  {"i", "n"}, {"r", "e"}, {"o", "n"}, {" t", "he"}, {"e", "r"},
    {" ", "s"}, {"a", "t"},   {" ", "w"},  {" ", "o"}, {"e", "n"}, {" ", "c"}, {"i", "t"},   {"i", "s"},
    {"a", "n"}, {"o", "r"},   {"e", "s"},  {" ", "b"}, {"e", "d"}, {" ", "f"}, {"in", "g"},  {" ", "p"},
    {"o", "u"}, {" a", "nd"}, {" t", "o"}, {"a", "l"}, {"n", "d"}, {"l", "l"},
}};

nlohmann::ordered_json added_token(int64_t id, std::string_view content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

}  // namespace

std::string tiny_tokenizer_json() {
  using Json = nlohmann::ordered_json;
  Json vocabulary = Json::object(), merges = Json::array();
  int64_t id = 0;
  for (int byte = 0; byte < 256; ++byte) vocabulary[std::string(alphabet_character(static_cast<uint8_t>(byte)))] = id++;
  for (const auto& [left, right] : kMerges) {
    merges.push_back(to_byte_alphabet(left) + " " + to_byte_alphabet(right));
    vocabulary[to_byte_alphabet(left) + to_byte_alphabet(right)] = id++;
  }
  const int64_t begin = id, end = id + 1;
  const Json begin_token = {{"SpecialToken", {{"id", kBegin}, {"type_id", 0}}}};
  const Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  const Json split = {{"type", "Split"}, {"pattern", {{"Regex", kRegex}}}, {"behavior", "Isolated"}, {"invert", false}};
  Json tokenizer;
  tokenizer["version"] = "1.0";
  tokenizer["truncation"] = nullptr;
  tokenizer["padding"] = nullptr;
  tokenizer["added_tokens"] = Json::array({added_token(begin, kBegin), added_token(end, kEnd)});
  tokenizer["normalizer"] = nullptr;
  tokenizer["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level})}};
  tokenizer["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", Json::array({begin_token, text})},
      {"pair", Json::array({begin_token, text})},
      {"special_tokens",
       {{kBegin, {{"id", kBegin}, {"ids", Json::array({begin})}, {"tokens", Json::array({kBegin})}}}}}};
  tokenizer["decoder"] = byte_level;
  tokenizer["model"] = {{"type", "BPE"},          {"dropout", nullptr},     {"unk_token", nullptr}, {"fuse_unk", false},
                        {"byte_fallback", false}, {"ignore_merges", false}, {"vocab", vocabulary},  {"merges", merges}};
  return tokenizer.dump(1) + "\n";
}

}  // namespace halftone
