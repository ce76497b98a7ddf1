// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "core/json.h"

namespace moru::cli {
namespace {

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Format format = Format::kText;
  add_format_option(app, &format);
  app.callback([run] {
    *run = []() -> Outcome {
      if (format == Format::kJson) {
        print_json({{"name", "moru"}, {"version", MORU_VERSION}});
      } else {
        print_text("moru " MORU_VERSION "\n");
      }
      return kDone;
    };
  });
}

}  // namespace

extern const NounSpec kNoun_version;
const NounSpec kNoun_version{.name = "version", .doc = "Print the version", .add = add};

}  // namespace moru::cli
