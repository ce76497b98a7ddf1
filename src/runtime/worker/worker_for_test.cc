// SPDX-License-Identifier: Apache-2.0
// A worker without the rest of `moru`. With a word it misbehaves, as no backend does on purpose.
#include <unistd.h>

#include <string_view>

#include "runtime/worker/serve.h"

int main(int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "babbles") {
    constexpr std::string_view kNonsense = "this is no answer\n";
    if (::write(moru::kChannel, kNonsense.data(), kNonsense.size()) < 0) return 1;
    while (true) ::pause();
  }
  return moru::runtime::serve() ? 0 : 1;
}
