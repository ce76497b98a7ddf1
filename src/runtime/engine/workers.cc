// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/workers.h"

#include <fmt/format.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <system_error>

namespace moru::runtime::engine {
namespace {

// std::atomic's own wait yields before it parks: a system call too many.
using Word = std::atomic<std::uint32_t>;
static_assert(sizeof(Word) == sizeof(std::uint32_t) && Word::is_always_lock_free);

/// Returns when the word is not `value`, or somebody woke it, or for no reason.
void park(Word& word, std::uint32_t value) noexcept { syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0); }
void wake(Word& word) noexcept { syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0); }
void wake_if_parked(Word& parked) noexcept {
  if (parked.load() != 0 && parked.exchange(0) != 0) wake(parked);
}

void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Turns of a loop that looks at an atomic and relaxes, in some 25 us: half of what is the most that may be spun, since clocks change
/// their speed. Counted once, so that spinning needs no clock.
int spins() {
  static const int counted = [] {
    constexpr int kTurns = 1000;
    constexpr double kSpinNs = 25'000;
    double fastest = 1e9;
    const Word word = 0;
    for (int attempt = 0; attempt < 5; ++attempt) {
      const auto start = std::chrono::steady_clock::now();
      for (int i = 0; i < kTurns && word.load() == 0; ++i) relax();
      fastest = std::min(fastest, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
    }
    return static_cast<int>(std::clamp(kSpinNs * kTurns / std::max(fastest, 1.0), 10.0, 100'000.0));
  }();
  return counted;
}

// An offer: the number of the job in 32 bits, then the next part and the end of the range in 16 each.
constexpr std::uint64_t kStop = ~std::uint64_t{0};
std::uint64_t offer_of(std::uint32_t number, int next, int end) {
  return std::uint64_t{number} << 32U | static_cast<std::uint64_t>(next) << 16U | static_cast<std::uint64_t>(end);
}
std::uint32_t number_of(std::uint64_t offer) { return static_cast<std::uint32_t>(offer >> 32U); }
int next_of(std::uint64_t offer) { return static_cast<int>(offer >> 16U & 0xFFFFU); }
int end_of(std::uint64_t offer) { return static_cast<int>(offer & 0xFFFFU); }

/// Takes the next part of a range; -1 when there is none. The number makes sure that it is one of the job that the offer is of.
int take(std::atomic<std::uint64_t>& from) noexcept {
  std::uint64_t offer = from.load();
  while (offer != kStop && next_of(offer) < end_of(offer)) {
    const int part = next_of(offer);
    if (from.compare_exchange_weak(offer, offer_of(number_of(offer), part + 1, end_of(offer)))) return part;
  }
  return -1;
}

/// Signals are for the program's own threads, but those that a thread sends itself.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (const int own : {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP}) sigdelset(&blocked, own);
    pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

Result<std::unique_ptr<Workers>> Workers::start(int helpers) {
  spins();  // not in a run
  std::unique_ptr<Workers> workers(new Workers(helpers));
  workers->threads_.reserve(static_cast<std::size_t>(helpers));
  const SignalsBlocked blocked;
  workers->left_.store(helpers);
  for (int worker = 1; worker <= helpers; ++worker) {
    try {
      workers->threads_.emplace_back([all = workers.get(), worker] { all->serve(worker); });
    } catch (const std::system_error& error) {
      return fail(ErrorCode::kResourceExhausted, fmt::format("native engine: found no thread {} ({}), expected {}; ask for fewer threads",
                                                             worker + 1, error.code().message(), helpers + 1));
    }
  }
  workers->wait_for_all();  // what a thread asks of the system when it starts is not for a run
  return workers;
}

Workers::~Workers() {
  for (std::size_t i = 1; i <= threads_.size(); ++i) {
    seats_[i].offer.store(kStop);
    wake_if_parked(seats_[i].parked);
  }
  for (std::thread& thread : threads_) thread.join();
}

void Workers::run(const Job& job, int parts) noexcept {
  const int workers = std::min(helpers() + 1, parts);
  job_ = job;
  left_.store(parts);
  ++number_;
  for (int i = workers; i-- > 0;) {
    Seat& seat = seats_[static_cast<std::size_t>(i)];
    seat.offer.store(offer_of(number_, parts * i / workers, parts * (i + 1) / workers));
    if (i > 0) wake_if_parked(seat.parked);
  }
  work(0);
  wait_for_all();
}

void Workers::work(int worker) noexcept {
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    auto& offer = seats_[(static_cast<std::size_t>(worker) + i) % seats_.size()].offer;
    for (int part = take(offer); part >= 0; part = take(offer)) {
      job_.run(job_.context, worker, part);
      done(worker);
    }
  }
}

void Workers::done(int worker) noexcept {
  if (left_.fetch_sub(1) == 1 && worker != 0) wake_if_parked(seats_[0].parked);
}

void Workers::wait_for_all() noexcept {
  for (int i = spins(); i > 0; --i) {
    if (left_.load() == 0) return;
    relax();
  }
  std::atomic<std::uint32_t>& parked = seats_[0].parked;
  while (true) {
    parked.store(1);
    if (left_.load() == 0) break;
    park(parked, 1);
  }
  parked.store(0);
}

std::uint64_t Workers::next_offer(Seat& seat, std::uint64_t seen) const noexcept {
  for (int i = spins(); i > 0; --i) {
    const std::uint64_t offer = seat.offer.load();
    if (number_of(offer) != number_of(seen)) return offer;
    relax();
  }
  std::uint64_t offer = seen;
  while (true) {
    // Whoever offers stores the offer and looks whether we are parked, we the other way round: one of the two sees the other.
    seat.parked.store(1);
    offer = seat.offer.load();
    if (number_of(offer) != number_of(seen)) break;
    park(seat.parked, 1);
  }
  seat.parked.store(0);
  return offer;
}

void Workers::serve(int worker) noexcept {
  pthread_setname_np(pthread_self(), "moru-worker");
  Seat& seat = seats_[static_cast<std::size_t>(worker)];
  std::uint64_t offer = 0;
  done(worker);
  while ((offer = next_offer(seat, offer)) != kStop) work(worker);
}

}  // namespace moru::runtime::engine
