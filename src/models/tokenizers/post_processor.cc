// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/post_processor.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "models/tokenizers/vocabulary.h"

namespace halftone {
namespace {

constexpr int kMaxPostProcessors = 8;

Status read_special(JsonReader& step, JsonReader& special_tokens, std::vector<TokenId>& ids) {
  JsonReader token = step.object("SpecialToken");
  const std::string name = token.text("id", "");
  JsonReader definition = special_tokens.object(name);
  for (const int64_t id : definition.integers("ids", 0, kMaxTokenId)) ids.push_back(static_cast<TokenId>(id));
  step.absorb(token);
  step.absorb(definition);
  HALFTONE_TRY(step.status());
  if (!definition.has("ids")) {
    return invalid_input("{}: expected ids of special token \"{}\", got none", special_tokens.place(""), name);
  }
  return {};
}

Status read_template(JsonReader& reader, PostProcessor& result) {
  reader.only({"type", "single", "pair", "special_tokens"});
  JsonReader special_tokens = reader.object("special_tokens");
  bool text_seen = false;
  for (JsonReader& step : reader.objects("single")) {
    step.only({"SpecialToken", "Sequence"});
    HALFTONE_TRY(step.status());
    if (step.has("Sequence")) {
      if (text_seen) return unsupported("{}: expected the text once", reader.place("single"));
      text_seen = true;
    } else {
      HALFTONE_TRY(read_special(step, special_tokens, text_seen ? result.behind : result.before));
    }
  }
  reader.absorb(special_tokens);
  HALFTONE_TRY(reader.status());
  if (!text_seen) return invalid_input("{}: expected {{\"Sequence\": ...}} once, got none", reader.place("single"));
  return {};
}

// "cls" before the text and "sep" behind it, each as [token, id].
Status read_around(JsonReader& reader, PostProcessor& result) {
  reader.only({"type", "sep", "cls", "trim_offsets", "add_prefix_space"});
  for (const auto& [key, ids] : {std::pair("cls", &result.before), std::pair("sep", &result.behind)}) {
    const nlohmann::json* pair = reader.find(key);
    const bool good = pair != nullptr && pair->is_array() && pair->size() == 2 && (*pair)[0].is_string() &&
                      (*pair)[1].is_number_unsigned() && (*pair)[1].get<uint64_t>() <= kMaxTokenId;
    if (!good) return invalid_input("{}: expected [token, id]", reader.place(key));
    ids->push_back((*pair)[1].get<TokenId>());
  }
  return reader.status();
}

Status read_step(JsonReader& reader, int depth, PostProcessor& result) {
  const std::string type = reader.text("type", "");
  HALFTONE_TRY(reader.status());
  if (depth > kMaxPostProcessors)
    return invalid_input("{}: expected at most {} nested sequences", reader.place(""), kMaxPostProcessors);
  if (type == "Sequence") {
    reader.only({"type", "processors"});
    for (JsonReader& inner : reader.objects("processors")) HALFTONE_TRY(read_step(inner, depth + 1, result));
    return reader.status();
  }
  if (type == "ByteLevel") return {};  // only about places in the text, which we do not report
  const bool around = type == "BertProcessing" || type == "RobertaProcessing";
  if (type != "TemplateProcessing" && !around) {
    return unsupported(
        "{}: expected TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel or Sequence, got \"{}\"",
        reader.place("type"), type);
  }
  if (!result.before.empty() || !result.behind.empty()) {
    return unsupported("{}: expected one TemplateProcessing, got two", reader.place("type"));
  }
  if (around) return read_around(reader, result);
  return read_template(reader, result);
}

}  // namespace

Result<PostProcessor> PostProcessor::read(JsonReader& tokenizer) {
  PostProcessor result;
  if (!tokenizer.has("post_processor")) return result;
  JsonReader reader = tokenizer.object("post_processor");
  HALFTONE_TRY(read_step(reader, 0, result));
  return result;
}

}  // namespace halftone
