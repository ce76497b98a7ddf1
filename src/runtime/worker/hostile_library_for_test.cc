// SPDX-License-Identifier: Apache-2.0
// A library that does harm when it is loaded. What it does is chosen when it is built.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>

namespace {

[[maybe_unused]] void say(const char* words) {
  std::fputs(words, stdout);
  std::fflush(stdout);
}

__attribute__((constructor)) void at_load() {
#if defined(MORU_HOSTILE_CRASH)
  say("about to touch\x1b[31m what is not there\n");
  std::signal(SIGSEGV, SIG_DFL);  // a sanitizer has its own
  std::raise(SIGSEGV);
#elif defined(MORU_HOSTILE_HANG)
  say("waiting for a device\n");
  while (true) ::pause();
#elif defined(MORU_HOSTILE_PRINT)
  for (int i = 0; i < 10'000; ++i) say("{\"not\": \"an answer\"}\n");  // more than a pipe holds
#elif defined(MORU_HOSTILE_THROW)
  throw std::runtime_error("no driver");
#elif defined(MORU_HOSTILE_EXIT)
  std::exit(3);
#endif
}

}  // namespace
