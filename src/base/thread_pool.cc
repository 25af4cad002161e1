// SPDX-License-Identifier: Apache-2.0
// A job is open while chunks are left. Workers join an open job by counting themselves in one atomic word, so that the
// caller waits only for workers that really took part: one that the system wakes late costs nothing. Each thread has a
// range of chunks of its own, which it takes in order, so that what it prefetches is what it needs next; who has none
// left takes from the ends of the others' ranges.
#include "base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"

namespace halftone {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kSpin = std::chrono::microseconds(50);

// ticket: job number << 32 | open << 31 | workers taking part
constexpr uint64_t kOpen = uint64_t{1} << 31;
constexpr uint64_t kActiveMask = kOpen - 1;
constexpr uint64_t job_of(uint64_t ticket) { return ticket >> 32; }
constexpr bool is_open(uint64_t ticket) { return (ticket & kOpen) != 0; }
constexpr uint64_t active_of(uint64_t ticket) { return ticket & kActiveMask; }

// Chunks that are left of a thread's range: first << 32 | end.
constexpr uint64_t range_of(uint64_t first, uint64_t end) { return first << 32 | end; }
constexpr int64_t first_of(uint64_t left) { return static_cast<int64_t>(left >> 32); }
constexpr int64_t end_of(uint64_t left) { return static_cast<int64_t>(left & 0xffffffff); }

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until done() or the time is over; returns done().
template <class Done>
bool spin_until(const Done& done) {
  const auto end = Clock::now() + kSpin;
  do {
    for (int i = 0; i < 16; ++i) {
      if (done()) return true;
      relax();
    }
  } while (Clock::now() < end);
  return done();
}

// Which pool's job this thread is inside of: a nested call must not wait for itself.
thread_local const void* current_pool = nullptr;
thread_local int current_thread = 0;

}  // namespace

struct ThreadPool::State {
  using Body = std::function<void(int64_t, int64_t, int)>;

  std::mutex callers;  // held during a job
  // Written by the caller while no job is open and no worker active; published by `ticket`.
  const Body* body = nullptr;
  int64_t count = 0, chunk = 1;

  struct alignas(64) Range {
    std::atomic<uint64_t> left{0};
  };
  std::vector<Range> ranges;  // one per thread
  alignas(64) std::atomic<uint64_t> ticket{0};
  alignas(64) std::mutex sleep;
  std::condition_variable job_opened, job_left;
  std::atomic<int> sleepers{0};
  std::atomic<bool> caller_sleeps{false};
  std::atomic<bool> stop{false};
  std::vector<std::thread> workers;

  explicit State(int threads) : ranges(static_cast<size_t>(threads)) {}

  // Shares the chunks out among the first `threads`.
  void deal(int threads) {
    const auto chunks = static_cast<uint64_t>((count + chunk - 1) / chunk), parts = static_cast<uint64_t>(threads);
    HALFTONE_CHECK(chunks <= 0xffffffff);
    for (uint64_t i = 0; i < ranges.size(); ++i) {
      const uint64_t left = i < parts ? range_of(chunks * i / parts, chunks * (i + 1) / parts) : 0;
      ranges[i].left.store(left, std::memory_order_relaxed);
    }
  }

  // Number of a chunk that nobody else takes; -1 when none is left.
  int64_t take(int thread) {
    for (size_t i = 0; i < ranges.size(); ++i) {
      std::atomic<uint64_t>& range = ranges[(static_cast<size_t>(thread) + i) % ranges.size()].left;
      uint64_t left = range.load(std::memory_order_relaxed);
      while (first_of(left) < end_of(left)) {
        const uint64_t rest = i == 0 ? left + range_of(1, 0) : left - 1;
        if (range.compare_exchange_weak(left, rest, std::memory_order_relaxed))
          return i == 0 ? first_of(left) : end_of(left) - 1;
      }
    }
    return -1;
  }

  void take_chunks(int thread) {
    const void* const outer_pool = current_pool;
    const int outer_thread = current_thread;
    current_pool = this;
    current_thread = thread;
    for (int64_t taken = take(thread); taken >= 0; taken = take(thread)) {
      (*body)(taken * chunk, std::min((taken + 1) * chunk, count), thread);
    }
    current_pool = outer_pool;
    current_thread = outer_thread;
  }

  bool has_news(uint64_t seen_job) const {
    const uint64_t now = ticket.load();
    return stop.load() || (is_open(now) && job_of(now) != seen_job);
  }

  // Joins the open job, if there is one that this worker has not seen.
  bool join(uint64_t& seen_job) {
    uint64_t now = ticket.load();
    while (is_open(now) && job_of(now) != seen_job) {
      if (ticket.compare_exchange_weak(now, now + 1)) {
        seen_job = job_of(now);
        return true;
      }
    }
    return false;
  }

  void leave() {
    const uint64_t now = ticket.fetch_sub(1) - 1;
    if (is_open(now) || active_of(now) != 0 || !caller_sleeps.load()) return;
    const std::lock_guard lock(sleep);
    job_left.notify_one();
  }

  void work(int thread) {
    uint64_t seen_job = 0;
    for (;;) {
      if (!spin_until([&] { return has_news(seen_job); })) {
        std::unique_lock lock(sleep);
        sleepers.fetch_add(1);
        job_opened.wait(lock, [&] { return has_news(seen_job); });
        sleepers.fetch_sub(1);
      }
      if (stop.load()) return;
      if (!join(seen_job)) continue;  // closed already
      take_chunks(thread);
      leave();
    }
  }

  void wake_workers() {
    if (sleepers.load() == 0) return;
    { const std::lock_guard lock(sleep); }  // a worker between its last look and its sleep is waited for
    job_opened.notify_all();
  }

  void wait_for_workers() {
    const auto nobody = [&] { return active_of(ticket.load()) == 0; };
    if (spin_until(nobody)) return;
    std::unique_lock lock(sleep);
    caller_sleeps.store(true);
    job_left.wait(lock, nobody);
    caller_sleeps.store(false);
  }
};

ThreadPool::ThreadPool(int threads) : threads_(threads), state_(std::make_unique<State>(std::max(threads, 1))) {
  HALFTONE_CHECK(threads >= 1);
  for (int i = 1; i < threads; ++i) state_->workers.emplace_back([state = state_.get(), i] { state->work(i); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(state_->sleep);
    state_->stop.store(true);
  }
  state_->job_opened.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

void ThreadPool::parallel_for(int64_t count, int64_t chunk, const std::function<void(int64_t, int64_t, int)>& body) {
  HALFTONE_CHECK(chunk > 0);
  if (count <= 0) return;
  State& state = *state_;
  if (current_pool == &state) {
    for (int64_t begin = 0; begin < count; begin += chunk) body(begin, std::min(begin + chunk, count), current_thread);
    return;
  }
  const std::lock_guard one_at_a_time(state.callers);
  state.body = &body;
  state.count = count;
  state.chunk = chunk;
  const bool alone = threads_ == 1 || count <= chunk;
  state.deal(alone ? 1 : threads_);
  if (!alone) {
    const uint64_t job = job_of(state.ticket.load()) + 1;
    state.ticket.store(job << 32 | kOpen);
    state.wake_workers();
  }
  state.take_chunks(0);
  if (!alone) {
    state.ticket.fetch_and(~kOpen);
    state.wait_for_workers();
  }
}

}  // namespace halftone
