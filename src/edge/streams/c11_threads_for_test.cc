// SPDX-License-Identifier: Apache-2.0
// C11's threads as POSIX ones: ThreadSanitizer learns of a thread by pthread_create() and dies in one that came to be otherwise,
// as those of librdkafka do. Linked in place of the C library's, into builds with that sanitizer alone.
#include <pthread.h>
#include <threads.h>

#include <cerrno>
#include <cstdint>
#include <memory>

namespace {

struct Start {
  thrd_start_t function;
  void* argument;
};

void* run(void* opaque) {
  const std::unique_ptr<Start> start(static_cast<Start*>(opaque));
  return reinterpret_cast<void*>(static_cast<std::intptr_t>(start->function(start->argument)));
}

}  // namespace

extern "C" {

/// What librdkafka does among its own threads is not seen whole, and not ours to judge.
[[gnu::visibility("default")]] const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1"; }

[[gnu::visibility("default")]] int thrd_create(thrd_t* thread, thrd_start_t function, void* argument) {
  auto start = std::make_unique<Start>(Start{function, argument});
  const int error = ::pthread_create(thread, nullptr, run, start.get());
  if (error == 0) (void)start.release();  // run() frees it
  return error == 0 ? thrd_success : error == ENOMEM ? thrd_nomem : thrd_error;
}

[[gnu::visibility("default")]] int thrd_join(thrd_t thread, int* result) {
  void* returned = nullptr;
  if (::pthread_join(thread, &returned) != 0) return thrd_error;
  if (result != nullptr) *result = static_cast<int>(reinterpret_cast<std::intptr_t>(returned));
  return thrd_success;
}

}  // extern "C"
