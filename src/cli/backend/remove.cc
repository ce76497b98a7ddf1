// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/backend/verbs.h"
#include "core/json.h"
#include "core/text.h"
#include "runtime/install/install.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string name;
  Format format = Format::kText;
};

Outcome remove(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto choice, runtime::choose_backend(flags.name));
  MORU_ASSIGN_OR_RETURN(const runtime::Manifest removed, runtime::remove_backend(*choice.backend));
  std::uint64_t size_bytes = 0;
  for (const auto& file : removed.files) size_bytes += file.size_bytes;
  if (flags.format == Format::kJson) {
    print_json({{"backend", choice.backend->name}, {"files", removed.files.size()}, {"size_bytes", size_bytes}});
  } else {
    print_text(fmt::format("removed       {}, {} files, {}\n", choice.backend->name, removed.files.size(), human_bytes(size_bytes)));
  }
  return kDone;
}

}  // namespace

void add_backend_remove(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* command = app.add_subcommand("remove", "Remove what `moru backend install` put here, and nothing else");
  command->add_option("name", flags.name, "The backend")->required();
  add_format_option(*command, &flags.format);
  command->footer("Example:\n  moru backend remove onnxruntime");
  command->callback([run] { *run = [] { return remove(flags); }; });
}

}  // namespace moru::cli
