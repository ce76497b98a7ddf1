// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cctype>

#include "runtime/backends/backend.h"

namespace moru::runtime {
namespace {

/// A sentence in a cell of a table, which cannot hold a bar.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  if (!escaped.empty()) escaped[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(escaped[0])));
  return escaped.ends_with('.') ? escaped : escaped + '.';
}

std::string library_of(const BackendSpec& backend) {
  std::vector<std::string> packages;
  for (const PackageSpec& one : backend.packages) packages.push_back(fmt::format("{} {} ({})", one.name, one.version, one.client));
  return packages.empty() ? "built in" : fmt::format("{}", fmt::join(packages, ", "));
}

}  // namespace

std::string backends_page() {
  std::string backends;
  std::string settings;
  for (const BackendSpec* backend : all_backends()) {
    backends +=
        fmt::format("| {} | {} | {} | {} |\n", backend->name, cell(backend->doc), fmt::join(backend->formats, ", "), library_of(*backend));
    for (const SettingSpec& one : backend->settings)
      settings += fmt::format("| {} | `{}` | {} |\n", backend->name, one.name, cell(one.doc));
  }
  return fmt::format(
      "# Backends\n\nWhat can run a model, and how far each does. This half is written by `moru backends --markdown`, the other by\n"
      "`scripts/measure_backends`. `moru backends` says which of them are on a machine, with their devices, and why the others are not.\n\n"
      "| backend | what it is | reads | library |\n|---|---|---|---|\n{}\n"
      "A model in another format is converted to the first that the backend reads. `moru backend install NAME` gets the library in "
      "exactly\n"
      "this version.\n\n"
      "## Settings\n\nA device is chosen with the name (`openvino:gpu.0`); threads are for every backend. What only one has:\n\n"
      "| backend | setting | what it does |\n|---|---|---|\n{}\n## Measured\n\n",
      backends, settings);
}

}  // namespace moru::runtime
