// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/noun.h"
#include "cli/support/hub_access.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/text.h"
#include "wire/messages.h"

namespace moru::cli {
namespace {

struct Flags {
  HubAccess access;
  std::string node;
  std::uint64_t at = 0;
  Format format = Format::kText;
};

/// The node's name goes into a path of the API.
Status check_name(const std::string& node) {
  if (wire::valid_node_name(node)) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("node: found name '{}', expected 1 to 64 letters, digits, '-' or '_'", node));
}

std::string describe_state(const Json& node) {
  const Json state = node.value("state", Json());
  if (!state.is_object()) return "has not reported yet";
  const std::string stream = state.value("stream_state", "");
  return fmt::format("release {}, {:.0f} items/s, {} items, {} missed{}{}", state.value("release", std::int64_t{0}),
                     state.value("items_per_second", 0.0), state.value("items", std::uint64_t{0}), state.value("missed", std::uint64_t{0}),
                     stream.empty() ? "" : ", ", stream);
}

std::string describe_node(const Json& node) {
  const auto seen = node.value("last_seen", TimeNs{0});
  return fmt::format("{:<20} {:<8} {:<26} {}\n", node.value("node", ""), node.value("online", false) ? "online" : "offline",
                     seen == 0 ? "never seen" : format_utc(seen), describe_state(node));
}

Outcome list(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto client, connect(flags.access));
  MORU_ASSIGN_OR_RETURN(const Json answer, client.get("/v1/nodes"));
  if (flags.format == Format::kJson) {
    print_json(answer);
    return kDone;
  }
  MORU_ASSIGN_OR_RETURN(const Json nodes, json_field<Json>(answer, "nodes", "/v1/nodes"));
  if (nodes.empty()) print_text("No node has joined; make a token for one: moru hub token\n");
  for (const Json& node : nodes) print_text(describe_node(node));
  return kDone;
}

Outcome show(const Flags& flags) {
  MORU_RETURN_IF_ERROR(check_name(flags.node));
  MORU_ASSIGN_OR_RETURN(const auto client, connect(flags.access));
  MORU_ASSIGN_OR_RETURN(const Json node, client.get("/v1/nodes/" + flags.node));
  if (flags.format == Format::kJson) {
    print_json(node);
    return kDone;
  }
  print_text(describe_node(node));
  for (const Json& deployment : node.value("deployments", Json::array())) {
    print_text(fmt::format("  rollout {}  release {}  {}  {}\n", deployment.value("rollout", ""),
                           deployment.value("release", std::int64_t{0}), deployment.value("phase", ""), deployment.value("reason", "")));
  }
  return kDone;
}

Outcome drain(const Flags& flags) {
  MORU_RETURN_IF_ERROR(check_name(flags.node));
  MORU_ASSIGN_OR_RETURN(const auto client, connect(flags.access));
  MORU_ASSIGN_OR_RETURN(const Json answer, client.post("/v1/nodes/" + flags.node + "/drain", {{"at", flags.at}}));
  if (flags.format == Format::kJson) {
    print_json(answer);
  } else {
    print_text(fmt::format("Node '{}' ends its stream after {} items.\n", flags.node, flags.at));
  }
  return kDone;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  app.require_subcommand(1);
  const auto add_verb = [&](const char* name, const char* doc, Outcome (*verb)(const Flags&)) {
    return add_hub_verb(app, run, name, doc, &flags.access, &flags.format, [verb] { return verb(flags); });
  };
  add_verb("list", "All nodes that have joined", list)->footer("Example:\n  moru node list --format json");
  CLI::App* one = add_verb("show", "One node and its deployments", show);
  one->add_option("node", flags.node, "Its name")->required();
  one->footer("Example:\n  moru node show node-1");
  CLI::App* end = add_verb("drain", "Let a node's stream end after a number of items", drain);
  end->add_option("node", flags.node, "Its name")->required();
  end->add_option("--at", flags.at, "Items after which its source ends")->required();
  end->footer("Example:\n  moru node drain node-1 --at 10000");
  app.footer("Example:\n  moru node list");
}

}  // namespace

extern const NounSpec kNoun_node;
const NounSpec kNoun_node{.name = "node", .doc = "Look at the nodes of a hub", .add = add};

}  // namespace moru::cli
