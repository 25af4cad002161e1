// SPDX-License-Identifier: Apache-2.0
#include "models/tokenizers/gguf_values.h"

#include <cstring>

#include "base/error.h"
#include "base/utf8.h"

namespace halftone {

std::string GgufTokenizerKeys::place(std::string_view key) const {
  return fmt::format("[tokenizer] {}: tokenizer.ggml.{}", name_, key);
}

const GgufEntry* GgufTokenizerKeys::find(std::string_view key) const {
  return header_.find(std::string("tokenizer.ggml.").append(key));
}

void GgufTokenizerKeys::fail(std::string_view key, std::string_view expected, std::string_view got) {
  if (status_.ok()) status_ = invalid_input("{}: expected {}, got {}", place(key), expected, got);
}

std::string_view GgufTokenizerKeys::text(std::string_view key, std::string_view fallback) {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) return fallback;
  const auto* text = std::get_if<std::string_view>(&entry->value);
  if (text == nullptr || first_invalid_utf8(*text)) {
    fail(key, "text in UTF-8", text == nullptr ? name_of(entry->type) : "other bytes");
    return fallback;
  }
  return *text;
}

bool GgufTokenizerKeys::boolean(std::string_view key, bool fallback) {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) return fallback;
  const auto* flag = std::get_if<bool>(&entry->value);
  if (flag == nullptr) fail(key, "true or false", name_of(entry->type));
  return flag == nullptr ? fallback : *flag;
}

int64_t GgufTokenizerKeys::integer(std::string_view key, int64_t low, int64_t high, int64_t fallback) {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) return fallback;
  const auto* natural = std::get_if<uint64_t>(&entry->value);
  const auto* whole = std::get_if<int64_t>(&entry->value);
  if (natural == nullptr && whole == nullptr) {
    fail(key, "a whole number", name_of(entry->type));
    return fallback;
  }
  const bool inside = natural != nullptr
                          ? *natural <= static_cast<uint64_t>(high) && low <= static_cast<int64_t>(*natural)
                          : *whole >= low && *whole <= high;
  if (!inside) {
    fail(key, fmt::format("a number from {} to {}", low, high),
         natural != nullptr ? fmt::format("{}", *natural) : fmt::format("{}", *whole));
    return fallback;
  }
  return natural != nullptr ? static_cast<int64_t>(*natural) : *whole;
}

const GgufArray* GgufTokenizerKeys::array(std::string_view key, GgufValueType element, std::string_view expected) {
  const GgufEntry* entry = find(key);
  if (entry == nullptr) return nullptr;
  const auto* array = std::get_if<GgufArray>(&entry->value);
  if (array == nullptr || array->element != element) {
    fail(key, expected, array == nullptr ? name_of(entry->type) : fmt::format("a list of {}", name_of(array->element)));
    return nullptr;
  }
  return array;
}

std::vector<std::string_view> GgufTokenizerKeys::texts(std::string_view key) {
  const GgufArray* found = array(key, GgufValueType::text, "a list of texts");
  if (found == nullptr) return {};
  for (size_t i = 0; i < found->texts.size(); ++i) {
    if (first_invalid_utf8(found->texts[i])) fail(fmt::format("{}[{}]", key, i), "text in UTF-8", "other bytes");
  }
  return status_.ok() ? found->texts : std::vector<std::string_view>();
}

template <class T>
std::vector<T> GgufTokenizerKeys::numbers(std::string_view key, GgufValueType element, std::string_view expected,
                                          size_t count, T fallback) {
  std::vector<T> values(count, fallback);
  const GgufArray* found = array(key, element, expected);
  if (found == nullptr) return values;
  if (found->count != count) {
    fail(key, fmt::format("{} numbers, one per token", count), fmt::format("{}", found->count));
    return values;
  }
  if (count > 0) std::memcpy(values.data(), found->numbers.data(), count * sizeof(T));
  return values;
}

std::vector<float> GgufTokenizerKeys::floats(std::string_view key, size_t count) {
  return numbers<float>(key, GgufValueType::f32, "a list of f32", count, 0.0f);
}

std::vector<int32_t> GgufTokenizerKeys::integers(std::string_view key, size_t count, int32_t fallback) {
  return numbers<int32_t>(key, GgufValueType::i32, "a list of i32", count, fallback);
}

}  // namespace halftone
