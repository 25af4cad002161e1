// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/tokenizer_json.h"

#include <algorithm>
#include <limits>

#include "base/error.h"

namespace halftone {
namespace {

using Json = nlohmann::json;
constexpr size_t kMaxDepth = 64;

// Events of the parser. Modes: the tree, the vocabulary (by id, or with scores), the merges.
class Handler : public nlohmann::json_sax<Json> {
 public:
  explicit Handler(std::string_view name) : name_(name) {}
  Status status() const { return status_; }
  TokenizerJson take() { return std::move(result_); }

  bool null() override { return value(Json(nullptr)); }
  bool boolean(bool value_) override { return value(Json(value_)); }
  bool number_integer(int64_t number) override {
    if (mode_ == Mode::scores) return score(static_cast<double>(number));
    return mode_ == Mode::vocabulary ? entry(number) : value(Json(number));
  }
  bool number_unsigned(uint64_t number) override {
    if (mode_ == Mode::scores) return score(static_cast<double>(number));
    if (mode_ != Mode::vocabulary) return value(Json(number));
    return entry(static_cast<int64_t>(std::min<uint64_t>(number, std::numeric_limits<int64_t>::max())));
  }
  bool number_float(double number, const std::string&) override {
    return mode_ == Mode::scores ? score(number) : value(Json(number));
  }
  bool string(std::string& text) override {
    if (mode_ == Mode::merges) return merge_text(text);
    if (mode_ == Mode::scores) return piece(text);
    return value(Json(std::move(text)));
  }
  bool binary(Json::binary_t&) override { return fail("expected JSON text, got binary"); }

  bool start_object(size_t) override {
    if (mode_ == Mode::tree && at_model_key("vocab")) return enter(Mode::vocabulary);
    if (mode_ != Mode::tree) return unexpected("an object");
    return open(Json::object());
  }
  bool start_array(size_t) override {
    if (mode_ == Mode::tree && at_model_key("merges")) return enter(Mode::merges);
    if (mode_ == Mode::tree && at_model_key("vocab")) {
      result_.scored = true;
      return enter(Mode::scores);
    }
    if ((mode_ == Mode::merges || mode_ == Mode::scores) && parts_ < 0) {
      parts_ = 0;
      return true;
    }
    if (mode_ != Mode::tree) return unexpected("a list");
    return open(Json::array());
  }
  bool key(std::string& text) override {
    if (mode_ == Mode::tree && stack_.back()->contains(text))
      return fail(fmt::format("expected every key once, got \"{}\" twice", text));
    key_ = std::move(text);
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override {
    if ((mode_ == Mode::merges || mode_ == Mode::scores) && parts_ >= 0) return end_pair();
    return close();
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& problem) override {
    return fail(fmt::format("byte {}: expected JSON: {}", position, problem.what()));
  }

 private:
  enum class Mode { tree, vocabulary, scores, merges };

  bool fail(std::string_view problem) {
    if (status_.ok()) status_ = invalid_input("[tokenizer] {}: {}", name_, problem);
    return false;
  }
  bool unexpected(std::string_view what) {
    if (mode_ == Mode::scores) {
      return fail(fmt::format("model.vocab[{}]: expected [piece, score], got {}", result_.scores.size(), what));
    }
    return mode_ == Mode::vocabulary
               ? fail(fmt::format("model.vocab: expected a whole number for piece \"{}\", got {}", key_, what))
               : fail(fmt::format("model.merges[{}]: expected \"a b\" or [\"a\", \"b\"], got {}", result_.merges.size(),
                                  what));
  }

  bool at_model_key(std::string_view wanted) const {
    return stack_.size() == 2 && in_model_ && stack_.back()->is_object() && key_ == wanted;
  }
  bool enter(Mode mode) {
    bool& seen = mode == Mode::merges ? seen_merges_ : seen_vocabulary_;
    if (seen) return fail(fmt::format("expected every key once, got \"{}\" twice", key_));
    seen = true;
    mode_ = mode;
    return true;
  }

  bool value(Json value) {
    if (mode_ != Mode::tree) return unexpected(value.type_name());
    return place(std::move(value)) != nullptr;
  }
  // Puts a value where the parser stands; null after a failure.
  Json* place(Json value) {
    if (stack_.empty()) {
      result_.rest = std::move(value);
      return &result_.rest;
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }
  bool open(Json container) {
    if (stack_.size() >= kMaxDepth) return fail(fmt::format("expected at most {} nested levels, got more", kMaxDepth));
    if (stack_.size() == 1) in_model_ = key_ == "model";
    stack_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    if (mode_ == Mode::tree) {
      stack_.pop_back();
    } else {
      mode_ = Mode::tree;
    }
    return true;
  }

  bool entry(int64_t id) {
    const Status added = result_.vocabulary.add(key_, id);
    return added.ok() || fail(fmt::format("model.vocab: {}", added.message()));
  }

  // The parts of [piece, score].
  bool piece(std::string& text) {
    if (parts_ != 0) return unexpected(fmt::format("\"{}\"", text));
    ++parts_;
    key_ = std::move(text);
    return true;
  }
  bool score(double number) {
    if (parts_ != 1) return unexpected("a number");
    ++parts_;
    const Status added = result_.vocabulary.add(key_, static_cast<int64_t>(result_.scores.size()));
    if (!added.ok()) return fail(fmt::format("model.vocab: {}", added.message()));
    result_.scores.push_back(number);
    return true;
  }

  bool merge_text(std::string_view text) {
    if (parts_ >= 0) {
      if (parts_ == 2 || text.empty()) return unexpected("another list");
      append(parts_++ == 0, text);
      return true;
    }
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || space == 0 || space + 1 == text.size() ||
        text.find(' ', space + 1) != std::string_view::npos) {
      return unexpected(fmt::format("\"{}\"", text));
    }
    append(true, text.substr(0, space));
    append(false, text.substr(space + 1));
    return finish_merge();
  }
  void append(bool left, std::string_view text) {
    if (left) pending_ = {static_cast<uint32_t>(result_.merge_text.size()), static_cast<uint32_t>(text.size()), 0};
    if (!left) pending_.right = static_cast<uint32_t>(text.size());
    result_.merge_text += text;
  }
  bool end_pair() {
    if (parts_ != 2) return unexpected(fmt::format("a list of {}", parts_));
    parts_ = -1;
    return mode_ == Mode::scores || finish_merge();
  }
  bool finish_merge() {
    if (result_.merge_text.size() > TokenizerJson::kMaxMergeText) return fail("model.merges: expected less than 2 GB");
    result_.merges.push_back(pending_);
    return true;
  }

  std::string_view name_;
  TokenizerJson result_;
  Status status_;
  std::vector<Json*> stack_;
  std::string key_;
  TokenizerJson::Merge pending_{};
  Mode mode_ = Mode::tree;
  int parts_ = -1;  // of the pair being read; -1: none
  bool in_model_ = false, seen_vocabulary_ = false, seen_merges_ = false;
};

}  // namespace

Result<TokenizerJson> parse_tokenizer_json(std::string_view text, std::string_view name) {
  Handler handler(name);
  const bool parsed = Json::sax_parse(text.data(), text.data() + text.size(), &handler);
  HALFTONE_TRY(handler.status());
  if (!parsed) return invalid_input("[tokenizer] {}: expected JSON", name);
  TokenizerJson result = handler.take();
  if (!result.rest.is_object()) return invalid_input("[tokenizer] {}: expected a JSON object", name);
  return result;
}

}  // namespace halftone
