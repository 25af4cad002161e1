// SPDX-License-Identifier: Apache-2.0
// For tests only: one vocabulary in the files of several kinds, each written as the tools write it that convert between
// them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/error.h"
#include "models/tokenizers/byte_alphabet.h"

namespace halftone {

inline constexpr std::string_view kTestWordMark = "\u2581";

// The tokens of a byte-level tokenizer.json by id, as bytes, without the added ones.
inline std::vector<std::string> byte_tokens(const nlohmann::json& tokenizer) {
  std::vector<std::string> tokens;
  for (const auto& [text, id] : tokenizer["model"]["vocab"].items()) {
    if (tokens.size() <= id.get<size_t>()) tokens.resize(id.get<size_t>() + 1);
    HALFTONE_CHECK(from_byte_alphabet(text, tokens[id.get<size_t>()]));
  }
  return tokens;
}

inline std::string to_base64(std::string_view bytes) {
  static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    uint32_t group = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - at);
    for (size_t i = 0; i < 3; ++i) group = group << 8 | (i < count ? static_cast<uint8_t>(bytes[at + i]) : 0);
    for (size_t i = 0; i < 4; ++i) out += i <= count ? kDigits[group >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

inline std::string rank_file(const std::vector<std::string>& tokens) {
  std::string out;
  for (size_t id = 0; id < tokens.size(); ++id) out += to_base64(tokens[id]) + " " + std::to_string(id) + "\n";
  return out;
}

// Every way to put a piece together from two others: of piece after piece, and of one piece by the ids of the two.
inline nlohmann::json merges_of(const std::vector<std::string>& pieces, const std::vector<size_t>& order) {
  std::unordered_map<std::string_view, size_t> ids;
  for (const size_t id : order) ids.emplace(pieces[id], id);
  nlohmann::json merges = nlohmann::json::array();
  for (const size_t id : order) {
    std::vector<std::pair<size_t, size_t>> ways;
    const std::string_view piece = pieces[id];
    for (size_t at = 1; at < piece.size(); ++at) {
      const auto left = ids.find(piece.substr(0, at)), right = ids.find(piece.substr(at));
      if (left != ids.end() && right != ids.end()) ways.emplace_back(left->second, right->second);
    }
    std::sort(ways.begin(), ways.end());
    for (const auto& [left, right] : ways) merges.push_back({pieces[left], pieces[right]});
  }
  return merges;
}

inline nlohmann::json special_token(size_t id, std::string_view content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

inline nlohmann::json begin_with(size_t id, std::string_view content) {
  return {{"type", "TemplateProcessing"},
          {"single", {{{"SpecialToken", {{"id", content}}}}, {{"Sequence", {{"id", "A"}}}}}},
          {"special_tokens", {{content, {{"ids", {id}}}}}}};
}

// What a rank file means, as tokenizer.json; some of Llama 3's 256 special tokens.
inline nlohmann::json ranks_as_json(const std::vector<std::string>& tokens, std::string_view split) {
  using Json = nlohmann::json;
  std::vector<std::string> pieces;
  std::vector<size_t> order;
  Json vocabulary = Json::object();
  for (const std::string& token : tokens) {
    pieces.push_back(to_byte_alphabet(token));
    vocabulary[pieces.back()] = order.size();
    order.push_back(order.size());
  }
  const Json cut = {{"type", "Split"}, {"pattern", {{"Regex", split}}}, {"behavior", "Isolated"}, {"invert", false}};
  const Json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  const size_t begin = tokens.size();
  return {{"added_tokens",
           {special_token(begin, "<|begin_of_text|>"), special_token(begin + 1, "<|end_of_text|>"),
            special_token(begin + 9, "<|eot_id|>")}},
          {"normalizer", nullptr},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {cut, bytes}}}},
          {"post_processor", begin_with(begin, "<|begin_of_text|>")},
          {"decoder", bytes},
          {"model",
           {{"type", "BPE"}, {"ignore_merges", true}, {"vocab", vocabulary}, {"merges", merges_of(pieces, order)}}}};
}

// SentencePiece's pieces: text, score and type (1 normal, 2 unknown, 3 control, 6 byte).
struct TestPiece {
  std::string text;
  float score = 0;
  uint64_t type = 1;
};

// <unk> <s> </s>, 256 bytes, then every ASCII token of a byte-level vocabulary and some characters beyond, the earlier
// the better. `unigram`: scores as logarithms of probabilities, no two sums of them alike.
inline std::vector<TestPiece> scored_pieces(const std::vector<std::string>& tokens, bool unigram) {
  std::vector<TestPiece> pieces = {{"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3}};
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (size_t byte = 0; byte < 256; ++byte)
    pieces.push_back({std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">", 0, 6});
  std::vector<std::string> texts;
  for (const std::string& token : tokens) {
    std::string text;
    bool visible = true;
    for (const char byte : token) {
      visible = visible && byte >= ' ' && byte < '\x7f';
      text += byte == ' ' ? std::string(kTestWordMark) : std::string(1, byte);
    }
    if (visible) texts.push_back(text);
  }
  for (const char* text : {"é", "ü", "日", "本", "日本", "本日", "😀", "\u2581日", "ée"}) texts.push_back(text);
  for (const std::string& text : texts) {
    const auto place = static_cast<float>(pieces.size());
    const float odd = static_cast<float>(pieces.size() * 2654435761u % 8191) / 8191;
    pieces.push_back({text, unigram ? -3 - std::log2(place) - odd : -place, 1});
  }
  return pieces;
}

// Just enough protobuf to write a model. model_type: 1 Unigram, 2 BPE.
inline std::string sentencepiece_file(const std::vector<TestPiece>& pieces, uint64_t model_type, bool collapse) {
  const auto varint = [](uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
    return out + static_cast<char>(value);
  };
  const auto number = [&](uint64_t field, uint64_t value) { return varint(field << 3) + varint(value); };
  const auto message = [&](uint64_t field, const std::string& bytes) {
    return varint(field << 3 | 2) + varint(bytes.size()) + bytes;
  };
  std::string out;
  for (const TestPiece& piece : pieces) {
    std::string score = varint(2 << 3 | 5);
    for (int i = 0; i < 4; ++i) score += static_cast<char>(std::bit_cast<uint32_t>(piece.score) >> (8 * i));
    out += message(1, message(1, piece.text) + score + number(3, piece.type));
  }
  return out + message(2, number(3, model_type) + number(35, 1) + number(41, 1) + number(42, 2)) +
         message(3, message(1, "identity") + number(3, 1) + number(4, collapse) + number(5, 1));
}

// The same as tokenizer.json.
inline nlohmann::json scored_as_json(const std::vector<TestPiece>& pieces, bool unigram, bool collapse) {
  using Json = nlohmann::json;
  Json steps = Json::array();
  if (collapse) {
    for (const auto& [expression, content] : {std::pair("\\A +| +\\z", ""), std::pair(" {2,}", " ")})
      steps.push_back({{"type", "Replace"}, {"pattern", {{"Regex", expression}}}, {"content", content}});
  }
  steps.push_back({{"type", "Prepend"}, {"prepend", kTestWordMark}});
  steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kTestWordMark}});
  Json model;
  if (unigram) {
    Json list = Json::array();
    for (const TestPiece& piece : pieces) list.push_back({piece.text, piece.score});
    model = {{"type", "Unigram"}, {"unk_id", 0}, {"byte_fallback", true}, {"vocab", list}};
  } else {
    Json vocabulary = Json::object();
    std::vector<std::string> texts;
    std::vector<size_t> order;
    for (size_t id = 0; id < pieces.size(); ++id) {
      vocabulary[pieces[id].text] = id;
      texts.push_back(pieces[id].text);
      if (pieces[id].type == 1) order.push_back(id);
    }
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return pieces[a].score > pieces[b].score; });
    model = {{"type", "BPE"},         {"unk_token", "<unk>"}, {"fuse_unk", true},
             {"byte_fallback", true}, {"vocab", vocabulary},  {"merges", merges_of(texts, order)}};
  }
  return {{"added_tokens", {special_token(1, "<s>"), special_token(2, "</s>")}},
          {"normalizer", {{"type", "Sequence"}, {"normalizers", steps}}},
          {"pre_tokenizer", nullptr},
          {"post_processor", begin_with(1, "<s>")},
          {"decoder",
           {{"type", "Sequence"},
            {"decoders",
             {{{"type", "Replace"}, {"pattern", {{"String", kTestWordMark}}}, {"content", " "}},
              {{"type", "ByteFallback"}},
              {{"type", "Fuse"}},
              {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}}},
          {"model", model}};
}

}  // namespace halftone
