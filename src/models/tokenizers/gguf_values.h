// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf/gguf.h"
#include "halftone/status.h"

namespace halftone {

// Reads the keys tokenizer.ggml.KEY of a GGUF file; keeps the first problem, so that a reader can take all and then ask
// status(). Texts borrow the file's bytes.
class GgufTokenizerKeys {
 public:
  GgufTokenizerKeys(const GgufHeader& header, std::string_view name) : header_(header), name_(name) {}

  bool has(std::string_view key) const { return find(key) != nullptr; }
  std::string_view text(std::string_view key, std::string_view fallback);
  bool boolean(std::string_view key, bool fallback);
  int64_t integer(std::string_view key, int64_t low, int64_t high, int64_t fallback);
  std::vector<std::string_view> texts(std::string_view key);      // missing: empty; checked UTF-8
  std::vector<float> floats(std::string_view key, size_t count);  // missing: zeros; else exactly `count`
  std::vector<int32_t> integers(std::string_view key, size_t count, int32_t fallback);
  const Status& status() const { return status_; }
  // "[tokenizer] file: tokenizer.ggml.KEY", to open a message.
  std::string place(std::string_view key) const;

 private:
  const GgufEntry* find(std::string_view key) const;
  const GgufArray* array(std::string_view key, GgufValueType element, std::string_view expected);
  template <class T>
  std::vector<T> numbers(std::string_view key, GgufValueType element, std::string_view expected, size_t count,
                         T fallback);
  void fail(std::string_view key, std::string_view expected, std::string_view got);
  const GgufHeader& header_;
  std::string_view name_;
  Status status_;
};

}  // namespace halftone
