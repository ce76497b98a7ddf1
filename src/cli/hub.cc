// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/hub.h"

#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "cli/support/hub_access.h"
#include "core/json.h"
#include "core/log.h"
#include "core/process.h"

namespace moru::cli {
namespace {

struct ServeFlags {
  std::string home;
  int port = 8443;
  int mqtt_port = 0;
  std::vector<std::string> release_keys;
  std::string ready_file;
  std::string log = "text";
};

struct TokenFlags {
  HubAccess access;
  std::int64_t valid_seconds = 600;
  std::string node;
  Format format = Format::kText;
};

/// The ready file is there while the hub serves.
class ReadyFiles {
 public:
  explicit ReadyFiles(std::vector<Path> files) : files_(std::move(files)) {}
  ReadyFiles(const ReadyFiles&) = delete;
  ReadyFiles& operator=(const ReadyFiles&) = delete;
  ~ReadyFiles() {
    std::error_code ignored;
    for (const Path& file : files_) std::filesystem::remove(file, ignored);
  }
  Status write(const fleet::Hub& hub) const {
    const Json ready = {{"url", hub.url()},
                        {"page_url", hub.page_url()},
                        {"operator_token_file", std::filesystem::absolute(hub.operator_token_file()).string()},
                        {"ca_file", std::filesystem::absolute(hub.ca_file()).string()},
                        {"mqtt_port", hub.mqtt_port()},
                        {"broker_pid", hub.broker_pid()}};
    // The page's address holds the operator's secret.
    for (const Path& file : files_) MORU_RETURN_IF_ERROR(write_file_atomic(file, ready.dump(2) + "\n", 0600));
    return {};
  }

 private:
  std::vector<Path> files_;
};

Outcome serve(const ServeFlags& flags) {
  set_log_sink(flags.log == "json" ? json_log_sink() : text_log_sink());
  set_log_level(LogLevel::kInfo);
  fleet::HubOptions options;
  options.home = flags.home.empty() ? default_hub_home() : Path(flags.home);
  options.port = flags.port;
  options.mqtt_port = flags.mqtt_port;
  options.release_keys.assign(flags.release_keys.begin(), flags.release_keys.end());
  MORU_ASSIGN_OR_RETURN(const auto hub, fleet::Hub::start(options));
  std::vector<Path> files = {wire::hub_ready_file(options.home)};
  if (!flags.ready_file.empty()) files.emplace_back(flags.ready_file);
  const ReadyFiles ready(std::move(files));
  MORU_RETURN_IF_ERROR(ready.write(*hub));
  print_text("The hub serves. Its page: " + hub->page_url() + "\n");
  pid_t broker = hub->broker_pid();
  while (!wait_for_stop(kSecond)) {
    // The file names the broker's process, which may have been started again.
    if (const pid_t now = hub->broker_pid(); now != 0 && now != broker) {
      broker = now;
      MORU_RETURN_IF_ERROR(ready.write(*hub));
    }
  }
  return kDone;
}

Outcome make_token(const TokenFlags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto client, connect(flags.access));
  Json body = {{"valid_seconds", flags.valid_seconds}};
  if (!flags.node.empty()) body["node"] = flags.node;
  MORU_ASSIGN_OR_RETURN(const Json answer, client.post("/v1/tokens", body));
  MORU_ASSIGN_OR_RETURN(const std::string token, json_field<std::string>(answer, "token", "/v1/tokens"));
  if (flags.format == Format::kJson) {
    print_json(answer);
  } else {
    print_text(token + "\n");
  }
  return kDone;
}

void add_serve(CLI::App& app, std::function<Outcome()>* run) {
  static ServeFlags flags;
  CLI::App* command = app.add_subcommand("serve", "Run the hub: API, page and broker, on 127.0.0.1, until it is interrupted");
  command->add_option("--home", flags.home, "Folder of all its state (default: MORU_HOME/hub)");
  command->add_option("--port", flags.port, "Port of the API and the page; 0: a free one")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command->add_option("--mqtt-port", flags.mqtt_port, "Port of the broker; 0: the one of the last time, else a free one")
      ->check(CLI::Range(0, 65535));
  command->add_option("--release-key", flags.release_keys, "Public key (PEM) that nodes trust for releases; kept for later starts");
  command->add_option("--ready-file", flags.ready_file, "Also written, beside HOME/ready.json, once the hub serves");
  command->add_option("--log", flags.log, "text or json, on stderr")->check(CLI::IsMember({"text", "json"}));
  command->footer("Example:\n  moru hub serve --home ./hub --port 0");
  command->callback([run] { *run = [] { return serve(flags); }; });
}

void add_token(CLI::App& app, std::function<Outcome()>* run) {
  static TokenFlags flags;
  CLI::App* command = add_hub_verb(app, run, "token", "Make a token with which one node can join, once", &flags.access, &flags.format,
                                   [] { return make_token(flags); });
  command->add_option("--valid", flags.valid_seconds, "Seconds for which it is good")->check(CLI::Range(1, 604800))->capture_default_str();
  command->add_option("--node", flags.node, "Only for a node of this name; replaces one that has joined under it");
  command->footer("Example:\n  moru hub token --valid 600");
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  app.require_subcommand(1);
  add_serve(app, run);
  add_token(app, run);
  app.footer("Example:\n  moru hub serve --home ./hub --port 0");
}

}  // namespace

extern const NounSpec kNoun_hub;
const NounSpec kNoun_hub{.name = "hub", .doc = "Run the hub of a fleet; let nodes join it", .add = add};

}  // namespace moru::cli
