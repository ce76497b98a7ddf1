// SPDX-License-Identifier: Apache-2.0
#include "runtime/install/install.h"

#include <CLI/CLI.hpp>
#include <optional>

#include "cli/backend/verbs.h"
#include "core/json.h"
#include "core/text.h"

namespace moru::cli {
namespace {

struct Flags {
  std::string name;
  std::string from;
  Format format = Format::kText;
};

/// One bar a step and package, in megabytes.
class InstallProgress {
 public:
  void update(runtime::InstallStep step, const runtime::PackageSpec& package, std::uint64_t done, std::uint64_t total) {
    constexpr std::uint64_t kMegabyte = 1'000'000;
    if (!bar_ || step != step_ || package.name != package_) {
      bar_.reset();  // the old one wipes its line first
      step_ = step;
      package_ = package.name;
      const std::string_view word = step == runtime::InstallStep::kFetch    ? "fetch"
                                    : step == runtime::InstallStep::kUnpack ? "unpack"
                                                                            : "put";
      bar_.emplace(fmt::format("{} {}", word, package.name), total / kMegabyte);
    }
    bar_->update(std::min(done, total) / kMegabyte, human_bytes(done));
  }

 private:
  std::optional<Progress> bar_;
  runtime::InstallStep step_ = runtime::InstallStep::kFetch;
  std::string_view package_;
};

Outcome install(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto choice, runtime::choose_backend(flags.name));
  InstallProgress progress;
  auto installed = runtime::install_backend(*choice.backend,
                                            {.from = flags.from, .progress = [&](auto step, const auto& package, auto done, auto total) {
                                               progress.update(step, package, done, total);
                                             }});
  if (!installed) return fail(installed.error());
  std::vector<std::string> versions;
  for (const auto& package : installed->manifest.packages) versions.push_back(package.version);
  if (flags.format == Format::kJson) {
    print_json({{"backend", choice.backend->name},
                {"versions", versions},
                {"folder", installed->folder.string()},
                {"size_bytes", installed->size_bytes},
                {"installed_at", installed->manifest.installed_at}});
  } else {
    print_text(fmt::format("installed     {} {}, {} in {}\n", choice.backend->name, fmt::join(versions, " + "),
                           human_bytes(installed->size_bytes), installed->folder.string()));
  }
  return kDone;
}

}  // namespace

void add_backend_install(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  CLI::App* command = app.add_subcommand("install", "Get a backend's library, of the version that this moru was made for, and verify it");
  command->add_option("name", flags.name, "The backend")->required();
  command->add_option("--from", flags.from, "A folder with the package's archive, for a machine without a network")
      ->check(CLI::ExistingDirectory);
  add_format_option(*command, &flags.format);
  command->footer(
      "Exit code 4 when the package client is missing or cannot reach its index; 2 when an archive is not the one that was pinned.\n"
      "Example:\n  moru backend install onnxruntime\n  moru backend install onnxruntime --from /media/usb");
  command->callback([run] { *run = [] { return install(flags); }; });
}

}  // namespace moru::cli
