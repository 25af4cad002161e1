// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace halftone {

// Persistent workers; the caller takes part. One parallel_for at a time: calls from several threads queue, a call from
// inside a body runs on that thread alone. Bodies do not throw.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // >= 1, the caller counted
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }
  // Calls body(begin, end, thread) over [0, count) in chunks of at most `chunk`; thread in [0, threads()). Each thread
  // takes neighbouring chunks in order, and those of others when it has none left. Returns when all are done. Workers
  // spin for at most 50 us between jobs, then sleep.
  void parallel_for(int64_t count, int64_t chunk, const std::function<void(int64_t, int64_t, int)>& body);

 private:
  struct State;
  int threads_;
  std::unique_ptr<State> state_;
};

// Cores this process may run on (affinity and cgroup quota respected).
int available_cores();

}  // namespace halftone
