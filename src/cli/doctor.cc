// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/noun.h"
#include "cli/support/workers.h"
#include "core/files.h"
#include "core/json.h"
#include "core/process.h"
#include "core/text.h"
#include "forge/data/dataset.h"
#include "runtime/backends/backend.h"
#include "runtime/measure/machine.h"
#include "runtime/worker/backend_worker.h"

namespace moru::cli {
namespace {

struct Finding {
  std::string name;
  bool present = false;
  std::string found;  ///< version or place
  std::string needed_for;
  std::string to_do;      ///< how to get it
  bool optional = false;  ///< nothing else here needs it
};

/// The backend of the nodes, until told otherwise.
constexpr std::string_view kNeededBackend = "onnxruntime";

/// "1.32.0 on cpu, gpu.0"
std::string with_devices(const runtime::BackendInfo& info) {
  std::vector<std::string> names;
  for (const auto& device : info.devices) names.push_back(device.name);
  return names.empty() ? info.version : fmt::format("{} on {}", info.version, fmt::join(names, ", "));
}

Finding finding_of(const runtime::BackendSpec& backend, const runtime::BackendInfo& info) {
  return {.name = fmt::format("backend {}", backend.name),
          .present = info.available,
          .found = with_devices(info),
          .needed_for = fmt::format("running models on {}", backend.name),
          .to_do = info.reason,
          .optional = backend.name != kNeededBackend};
}

Finding find_broker() {
  const auto program = find_program("mosquitto");
  return {.name = "mosquitto",
          .present = program.has_value(),
          .found = program ? program->string() : "",
          .needed_for = "messages between hub and nodes",
          .to_do = "install it: apt-get install mosquitto"};
}

Finding find_dataset() {
  const Path folder = forge::fashion_mnist_folder();
  std::error_code error;
  const bool present = std::filesystem::exists(folder / "train-images-idx3-ubyte.gz", error);
  return {.name = "dataset fashion-mnist",
          .present = present,
          .found = present ? folder.string() : "",
          .needed_for = "moru demo factory",
          .to_do = "install it: apt-get install dataset-fashion-mnist"};
}

/// $MORU_HOME can be made and written.
Finding check_home() {
  const Path home = moru_home();
  auto status = make_folders(home);
  if (status) {
    const Path probe = home / ".doctor";
    status = write_file_atomic(probe, "");
    std::error_code ignored;
    std::filesystem::remove(probe, ignored);
  }
  return {.name = "MORU_HOME",
          .present = status.has_value(),
          .found = home.string(),
          .needed_for = "all state",
          .to_do = status ? "" : status.error().message};
}

std::vector<Finding> look() {
  std::vector<Finding> findings;
  const auto backends = runtime::all_backends();
  const auto infos = runtime::probe_backends(backends, own_worker());
  for (std::size_t i = 0; i < backends.size(); ++i) findings.push_back(finding_of(*backends[i], infos[i]));
  findings.push_back(find_broker());
  findings.push_back(find_dataset());
  findings.push_back(check_home());
  return findings;
}

Json to_json(const runtime::Machine& machine, const std::vector<Finding>& findings) {
  Json rows = Json::array();
  for (const auto& one : findings) {
    rows.push_back({{"name", one.name},
                    {"present", one.present},
                    {"found", one.found},
                    {"needed_for", one.needed_for},
                    {"to_do", one.present ? "" : one.to_do},
                    {"optional", one.optional}});
  }
  return {{"version", MORU_VERSION}, {"machine", runtime::to_json(machine)}, {"findings", std::move(rows)}};
}

std::string to_text(const runtime::Machine& machine, const std::vector<Finding>& findings) {
  std::string text = fmt::format("moru {}\nmachine  {}, {} {}, {} memory\nISA      {}\n\n", MORU_VERSION, machine.cpu, machine.cores,
                                 machine.cores == 1 ? "core" : "cores", human_bytes(machine.memory_bytes), fmt::join(machine.isa, " "));
  for (const auto& one : findings) {
    const std::string_view absent = one.optional ? "not here" : "missing";
    text += fmt::format("{:8} {:22} {}\n", one.present ? "ok" : absent, one.name,
                        one.present ? one.found : fmt::format("needed for {}", one.needed_for));
    if (!one.present) text += fmt::format("{:8} {:22} {}\n", "", "", one.to_do);
  }
  return text;
}

Outcome run_doctor(Format format) {
  const auto machine = runtime::describe_machine();
  const auto findings = look();
  if (stop_requested()) return kInterrupted;
  if (format == Format::kJson) {
    print_json(to_json(machine, findings));
  } else {
    print_text(to_text(machine, findings));
  }
  const bool complete = std::all_of(findings.begin(), findings.end(), [](const Finding& one) { return one.present || one.optional; });
  return complete ? kDone : kMissing;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Format format = Format::kText;
  add_format_option(app, &format);
  app.footer("Exit code 4 when something is missing that is not optional.\nExample:\n  moru doctor --format json");
  app.callback([run] { *run = [] { return run_doctor(format); }; });
}

}  // namespace

extern const NounSpec kNoun_doctor;
const NounSpec kNoun_doctor{
    .name = "doctor", .doc = "Look at this machine: CPU, ISA, backends, and what is missing with how to get it", .add = add};

}  // namespace moru::cli
