// SPDX-License-Identifier: Apache-2.0
// Threads that help the caller of run() with what is worth it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "core/result.h"

namespace moru::runtime::engine {

/// The caller is worker 0, the threads are workers 1 to helpers(). A job is some parts; each worker has a range of them, takes the next of
/// its own until there is none, then of the others'. So the caller waits for nobody who has not begun: a thread that comes late, or never
/// (in the child of a fork), costs time only. Threads spin for a short time when they have nothing to do, then they park.
/// run() allocates and locks nothing; it asks the kernel only to wake those who are parked (futex), and each who parks asks once.
class Workers {
 public:
  /// kResourceExhausted where the system has no more threads.
  static Result<std::unique_ptr<Workers>> start(int helpers);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  static constexpr int kMostParts = 65534;
  struct Job {
    void (*run)(void* context, int worker, int part) noexcept;
    void* context;
  };
  /// Calls job.run once for each part of [0, parts), and returns when all have been done. One call at a time.
  void run(const Job& job, int parts) noexcept;
  int helpers() const { return static_cast<int>(threads_.size()); }

 private:
  /// One a cache line: workers look at their own most of the time.
  struct alignas(64) Seat {
    std::atomic<std::uint64_t> offer = 0;  ///< the job's number, the next part of the range and its end; kStop
    std::atomic<std::uint32_t> parked = 0;
  };

  explicit Workers(int helpers) : seats_(static_cast<std::size_t>(helpers) + 1) {}
  void serve(int worker) noexcept;
  std::uint64_t next_offer(Seat& seat, std::uint64_t seen) const noexcept;
  void work(int worker) noexcept;
  void done(int worker) noexcept;  ///< with a part
  void wait_for_all() noexcept;

  std::vector<Seat> seats_;  ///< by worker
  std::vector<std::thread> threads_;
  Job job_{};  ///< written only while no part is left
  std::uint32_t number_ = 0;
  alignas(64) std::atomic<int> left_ = 0;  ///< parts that are not done; at first, threads that have not begun
};

}  // namespace moru::runtime::engine
