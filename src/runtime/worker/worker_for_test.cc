// SPDX-License-Identifier: Apache-2.0
// A worker without the rest of `moru`. With a word it misbehaves, as no backend does on purpose.
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/json.h"
#include "runtime/worker/channel.h"
#include "runtime/worker/requests.h"
#include "runtime/worker/serve.h"

namespace {

/// A backend that is there, takes every model, and dies of the op Wobble.
int serve_fragile() {
  moru::runtime::LineReader reader;
  std::string line;
  while (reader.fill(moru::kChannel).value_or(false)) {
    while (reader.next(&line)) {
      const moru::Json request = moru::parse_json(line, "request").value_or(moru::Json::object());
      if (request.contains("model") && moru::read_file(request["model"].get<std::string>()).value_or("").contains("Wobble")) std::abort();
      const moru::runtime::BackendInfo info{.available = true, .version = "1", .reason = "", .devices = {}};
      if (!moru::runtime::send_line(moru::kChannel, moru::runtime::to_json(info))) return 1;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view word = argc > 1 ? argv[1] : "";
  if (word == "babbles") {
    constexpr std::string_view kNonsense = "this is no answer\n";
    if (::write(moru::kChannel, kNonsense.data(), kNonsense.size()) < 0) return 1;
    while (true) ::pause();
  }
  if (word == "fragile") return serve_fragile();
  return moru::runtime::serve() ? 0 : 1;
}
