// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace halftone {

enum class StatusCode : uint8_t {
  ok,
  invalid_input,  // a file, tensor, line or argument contradicts what it must be
  not_found,      // a file, tensor or key that must exist does not
  io,             // the operating system refused: disk full, permission, short read
  unsupported,    // well-formed, but not something halftone can do
  exhausted,      // memory or budget would be exceeded
  cancelled,
};

// The result of anything that depends on input. OK costs one null pointer.
// Messages read `[who] expected ..., got ...` and say what to do.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message)
      : rep_(code == StatusCode::ok ? nullptr : std::make_unique<Rep>(Rep{code, std::move(message)})) {}

  Status(Status&&) noexcept = default;
  Status& operator=(Status&&) noexcept = default;
  Status(const Status& other) : rep_(other.rep_ ? std::make_unique<Rep>(*other.rep_) : nullptr) {}
  Status& operator=(const Status& other) { return *this = Status(other); }

  bool ok() const { return rep_ == nullptr; }
  StatusCode code() const { return rep_ ? rep_->code : StatusCode::ok; }
  std::string_view message() const { return rep_ ? std::string_view(rep_->message) : std::string_view(); }

 private:
  struct Rep {
    StatusCode code;
    std::string message;
  };
  std::unique_ptr<Rep> rep_;
};

// A value, or the reason why there is none. REQUIRES: ok() before value access.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}         // NOLINT(google-explicit-constructor)
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  const Status& status() const& {
    static const Status kOk;
    return ok() ? kOk : std::get<1>(state_);
  }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace halftone

#define HALFTONE_CONCAT_(a, b) a##b
#define HALFTONE_CONCAT(a, b) HALFTONE_CONCAT_(a, b)

// Returns the status of `expr` from the enclosing function when it is an error.
#define HALFTONE_TRY(expr)                                          \
  do {                                                              \
    if (::halftone::Status halftone_status_ = (expr); !halftone_status_.ok()) return halftone_status_; \
  } while (false)

// HALFTONE_ASSIGN(auto file, open(path)): declares `file`, or returns the error.
#define HALFTONE_ASSIGN(declaration, expr)                                                \
  auto HALFTONE_CONCAT(halftone_result_, __LINE__) = (expr);                              \
  if (!HALFTONE_CONCAT(halftone_result_, __LINE__).ok())                                  \
    return HALFTONE_CONCAT(halftone_result_, __LINE__).status();                          \
  declaration = std::move(HALFTONE_CONCAT(halftone_result_, __LINE__)).value()
