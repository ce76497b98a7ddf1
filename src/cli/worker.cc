// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "runtime/worker/serve.h"

namespace moru::cli {
namespace {

void add(CLI::App& app, std::function<Outcome()>* run) {
  app.group("");  // moru starts it itself: nothing for people
  app.callback([run] {
    *run = []() -> Outcome {
      MORU_RETURN_IF_ERROR(runtime::serve());
      return kDone;
    };
  });
}

}  // namespace

extern const NounSpec kNoun_worker;
const NounSpec kNoun_worker{.name = "worker", .doc = "Answers the requests of a moru that started it", .add = add};

}  // namespace moru::cli
