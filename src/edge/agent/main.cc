// SPDX-License-Identifier: Apache-2.0
// moru-agent: the program of a node.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>

#include "core/json.h"
#include "core/log.h"
#include "core/process.h"
#include "core/text.h"
#include "edge/agent/agent.h"
#include "edge/agent/join.h"

namespace moru::edge {
namespace {

// Exit codes, the same as those of `moru`.
constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;
constexpr int kMissing = 4;
constexpr int kInterrupted = 130;

struct Flags {
  JoinOptions join;
  AgentOptions agent;
  std::vector<std::string> parameters;
  Path home;
  bool json = false;
};

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int exit_code(const Error& error) {
  switch (error.code) {
    case ErrorCode::kCancelled: return kInterrupted;
    case ErrorCode::kUnavailable: return kMissing;
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
    case ErrorCode::kUnsupported:
    case ErrorCode::kCorrupt: return kUsage;
    default: return kFailed;
  }
}

/// "-": a token from standard input is not seen in the list of processes.
std::string read_standard_input() {
  std::array<char, 8192> line{};  // longer than any token
  return std::fgets(line.data(), static_cast<int>(line.size()), stdin) == nullptr ? "" : line.data();
}

Status join(Flags& flags) {
  if (flags.join.token == "-") flags.join.token = read_standard_input();
  MORU_ASSIGN_OR_RETURN(const NodeIdentity identity, join_hub(flags.join));
  if (flags.json) {
    print(Json{{"node", identity.node}, {"hub_url", identity.hub_url}}.dump(2) + "\n");
  } else {
    print(fmt::format("node '{}' has joined {}\n", identity.node, identity.hub_url));
  }
  return {};
}

Status run(Flags& flags) {
  set_log_sink(flags.json ? json_log_sink() : text_log_sink());
  install_stop_signals();
  for (const std::string& parameter : flags.parameters) {
    const auto equals = parameter.find('=');
    if (equals == std::string::npos)
      return fail(ErrorCode::kInvalidArgument, fmt::format("--set: found '{}', expected NAME=VALUE", parameter));
    flags.agent.parameters[parameter.substr(0, equals)] = parameter.substr(equals + 1);
  }
  MORU_ASSIGN_OR_RETURN(const auto agent, Agent::start(flags.agent));
  TimeNs due = 0;
  do {
    due = agent->tick();
  } while (!wait_for_stop(due - system_clock().steady_now()));
  agent->stop();
  return {};
}

Status status(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const std::string text, read_status({flags.home}));
  print(text);
  return {};
}

CLI::App* add_join(CLI::App& app, Flags& flags) {
  CLI::App* command = app.add_subcommand("join", "Make this machine a node of a hub");
  command->footer("Example:\n  moru-agent join --token moru1.eyJ1... --name line-4 --home /var/lib/moru");
  command->add_option("--token", flags.join.token, "From the operator (moru hub token); '-' reads it from standard input")->required();
  command->add_option("--name", flags.join.name, "The node's name: letters, digits, '-' and '_'")->required();
  command->add_option("--home", flags.join.home, "Folder for all that the node keeps")->required();
  command->add_flag("--json", flags.json, "Print the result as JSON");
  return command;
}

CLI::App* add_run(CLI::App& app, Flags& flags) {
  CLI::App* command = app.add_subcommand("run", "Run a stream with the current release; take new ones from the hub");
  command->footer("Example:\n  moru-agent run --home /var/lib/moru --stream line.yaml --set rate_hz=200");
  command->add_option("--home", flags.agent.home, "Folder of a node that has joined")->required();
  command->add_option("--stream", flags.agent.stream_file, "What to run (kind: Stream)")->required();
  command->add_option("--set", flags.parameters, "NAME=VALUE for ${NAME} in the stream file; may be repeated");
  command->add_flag("--json", flags.json, "Log JSON lines");
  command->add_option("--state", flags.agent.seen.state,
                      "A folder for the stream's state and a socket: for `moru stream ledger`, `top` and `tap`");
  command->add_option("--metrics", flags.agent.seen.metrics, "ADDRESS:PORT at which Prometheus finds /metrics");
  command->add_option("--traces", flags.agent.seen.traces, "Where sampled items are sent as OpenTelemetry traces (OTLP, JSON)");
  command->add_option("--trace-ratio", flags.agent.seen.trace_ratio, "The share of the items that is sampled")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--trace-ca", flags.agent.seen.trace_ca, "Whom to trust there (PEM); without it the machine's list");
  return command;
}

CLI::App* add_status(CLI::App& app, Flags& flags) {
  CLI::App* command = app.add_subcommand("status", "Print the state that the agent wrote last, as JSON");
  command->footer("Example:\n  moru-agent status --home /var/lib/moru");
  command->add_option("--home", flags.home, "Folder of the node")->required();
  return command;
}

int main_of(int argc, char** argv) {
  CLI::App app("Runs streams and models on a node of Moru");
  app.set_version_flag("--version", "moru-agent " MORU_VERSION);
  app.require_subcommand(1);
  Flags flags;
  flags.agent.version = MORU_VERSION;
  const CLI::App* join_command = add_join(app, flags);
  const CLI::App* run_command = add_run(app, flags);
  add_status(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  const Status done = join_command->parsed() ? join(flags) : run_command->parsed() ? run(flags) : status(flags);
  if (done) return kDone;
  std::fputs(("error: " + done.error().message + "\n").c_str(), stderr);
  return exit_code(done.error());
}

}  // namespace
}  // namespace moru::edge

int main(int argc, char** argv) { return moru::edge::main_of(argc, argv); }
