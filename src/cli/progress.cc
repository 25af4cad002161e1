// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <string>

#include "base/units.h"

namespace halftone::cli {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::string amount(int64_t value, const std::string& unit) {
  return unit == "bytes" ? format_bytes(value) : fmt::format("{} {}", format_count(value), unit);
}

class Quiet final : public Progress {
 public:
  void begin(std::string_view, int64_t, std::string_view) override {}
  void advance(int64_t) override {}
  void end() override {}
};

// State common to both kinds; advance() may come from any thread.
class Drawn : public Progress {
 public:
  void begin(std::string_view what, int64_t total, std::string_view unit) override {
    const std::lock_guard lock(mutex_);
    if (active_) finish();
    what_ = what;
    unit_ = unit;
    total_ = total;
    done_ = 0;
    active_ = true;
    began_ = drawn_ = Clock::now();
    start();
  }
  void advance(int64_t step) override {
    const std::lock_guard lock(mutex_);
    done_ += step;
    if (!active_ || seconds_since(drawn_) < interval_) return;
    drawn_ = Clock::now();
    draw();
  }
  void end() override {
    const std::lock_guard lock(mutex_);
    if (active_) finish();
    active_ = false;
  }

 protected:
  explicit Drawn(double interval) : interval_(interval) {}
  virtual void start() = 0;
  virtual void draw() = 0;
  virtual void finish() = 0;

  std::string state() const {
    std::string text =
        total_ > 0 ? fmt::format("{} of {}", format_count(done_), amount(total_, unit_)) : amount(done_, unit_);
    if (unit_ == "bytes" && total_ > 0) text = fmt::format("{} of {}", format_bytes(done_), format_bytes(total_));
    const double elapsed = seconds_since(began_);
    if (total_ > 0 && done_ > 0 && done_ < total_ && elapsed > 2)
      text += fmt::format(", {} left",
                          format_seconds(elapsed * static_cast<double>(total_ - done_) / static_cast<double>(done_)));
    return text;
  }

  std::mutex mutex_;
  std::string what_, unit_;
  int64_t total_ = 0, done_ = 0;
  bool active_ = false;
  double interval_;
  Clock::time_point began_, drawn_;
};

class Bar final : public Drawn {
 public:
  Bar() : Drawn(0.1) {}

 private:
  void start() override { draw(); }
  void draw() override {
    constexpr int kWidth = 24;
    std::string bar;
    if (total_ > 0) {
      const auto filled = static_cast<int>(std::min<int64_t>(kWidth, done_ * kWidth / total_));
      bar = " [" + std::string(static_cast<size_t>(filled), '#') +
            std::string(static_cast<size_t>(kWidth - filled), '.') + "]";
    }
    std::string line = fmt::format("{}{} {}", what_, bar, state());
    winsize size{};
    const size_t columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 10 ? size.ws_col - 1U : 79U;
    if (line.size() > columns) line.resize(columns);
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
  }
  void finish() override {
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
  }
};

class Lines final : public Drawn {
 public:
  Lines() : Drawn(10) {}

 private:
  void start() override {}
  void draw() override { std::fprintf(stderr, "%s: %s\n", what_.c_str(), state().c_str()); }
  void finish() override {
    if (seconds_since(began_) > 2)
      std::fprintf(stderr, "%s: done in %s\n", what_.c_str(), format_seconds(seconds_since(began_)).c_str());
  }
};

}  // namespace

std::unique_ptr<Progress> make_progress(bool quiet) {
  if (quiet) return std::make_unique<Quiet>();
  if (isatty(STDERR_FILENO) == 1) return std::make_unique<Bar>();
  return std::make_unique<Lines>();
}

}  // namespace halftone::cli
