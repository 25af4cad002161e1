// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "halftone/model.h"
#include "halftone/status.h"

namespace halftone {

struct SessionSettings {
  int threads = 0;                 // 0: the cores this process may use
  bool exact_activations = false;  // float activations everywhere; the default quantizes them to int8 where weights are integers
  bool int8_kv = false;            // keys and values in 8 bits with a scale per token and head, about half the bytes of f16
};

// One text in progress: tokens in, logits out. Not for use from two threads at once.
class Session {
 public:
  static Result<Session> create(ModelPtr model, const SessionSettings& settings = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  // Appends tokens (at least one); logits() is then the row after the last of them, (vocabulary).
  Status append(std::span<const int32_t> tokens);
  std::span<const float> logits() const;
  int64_t length() const;          // tokens held
  // Forgets the tokens from `length` on. An error when sliding windows released tokens that the next one would see; 0 always works.
  Status truncate(int64_t length);

 private:
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace halftone
