// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <optional>

#include "cli/noun.h"
#include "cli/support/hub_access.h"
#include "core/json.h"
#include "core/process.h"
#include "core/text.h"
#include "wire/messages.h"

namespace moru::cli {
namespace {

struct Flags {
  HubAccess access;
  std::string id;
  std::int64_t release = 0;
  std::vector<std::string> nodes;
  std::vector<double> waves;
  std::vector<std::string> gate;
  std::optional<std::int64_t> soak_items;
  std::string reason;
  bool watch = false;
  Format format = Format::kText;
};

constexpr TimeNs kLookEvery = 300 * kMillisecond;

/// Ids go into paths of the API.
Status check_id(const std::string& id) {
  if (wire::valid_node_name(id)) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("rollout: found id '{}', expected one such as r3-9f2c1ab4; see: moru rollout list", id));
}

/// NAME=NUMBER pairs; the hub knows the names.
Result<Json> read_gate(const std::vector<std::string>& pairs) {
  Json gate = Json::object();
  for (const std::string& pair : pairs) {
    const auto equals = pair.find('=');
    const char* last = pair.data() + pair.size();
    double value = 0;
    const char* first = equals == std::string::npos ? last : pair.data() + equals + 1;
    const auto [end, error] = std::from_chars(first, last, value);
    if (error != std::errc{} || end != last) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("--gate: found '{}', expected NAME=NUMBER such as min_items=500", pair));
    }
    const std::string name = pair.substr(0, equals);
    if (name.ends_with("_items") && value >= 0 && value < 1e15) {
      gate[name] = static_cast<std::int64_t>(value);
    } else {
      gate[name] = value;
    }
  }
  return gate;
}

std::string describe(const Json& rollout) {
  std::string text = fmt::format("{}  release {}  {}: {}\n", rollout.value("id", ""), rollout.value("release", std::int64_t{0}),
                                 rollout.value("state", ""), rollout.value("reason", ""));
  for (const Json& node : rollout.value("nodes", Json::array())) {
    const std::string reason = node.value("reason", "");
    text += fmt::format("  {:<20} wave {}  {}{}{}\n", node.value("node", ""), node.value("wave", 0) + 1, node.value("phase", ""),
                        reason.empty() ? "" : ": ", reason);
  }
  return text;
}

void print(const Json& value, Format format) {
  if (format == Format::kJson) {
    print_json(value);
  } else {
    print_text(describe(value));
  }
}

int code_of(const Json& rollout) {
  if (rollout.value("state", "") == "succeeded") return kDone;
  return rollout.value("outcome", "") == "failed at the gate" ? kNotMet : kFailed;
}

/// How far it is, in thousandths: staging and shadowing are half of it, committed nodes the other.
std::uint64_t progress_of(const Json& rollout) {
  const Json nodes = rollout.value("nodes", Json::array());
  std::uint64_t points = 0;
  for (const Json& node : nodes) {
    const std::string step = node.value("step", "");
    points += step == "committed" ? 1000 : step == "committing" ? 750 : step == "ready" ? 250 : 0;
  }
  return nodes.empty() ? 0 : points / nodes.size();
}

Outcome watch(const wire::HubClient& client, const std::string& id, Format format) {
  Progress bar("rollout " + id, 1000);
  std::string last_state;
  while (true) {
    MORU_ASSIGN_OR_RETURN(const Json rollout, client.get("/v1/rollouts/" + id));
    const std::string state = rollout.value("state", "");
    const bool over = state == "succeeded" || state == "failed" || state == "aborted";
    if (over) {
      print(rollout, format);
      return code_of(rollout);
    }
    if (format == Format::kText && state != last_state) say(fmt::format("{}: {}", state, rollout.value("reason", "")));
    last_state = state;
    bar.update(progress_of(rollout), rollout.value("reason", ""));
    if (wait_for_stop(kLookEvery)) {
      return fail(ErrorCode::kCancelled,
                  fmt::format("rollout {}: it goes on without being watched; end it with: moru rollout abort {}", id, id));
    }
  }
}

Outcome create(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto client, connect(flags.access));
  MORU_ASSIGN_OR_RETURN(Json gate, read_gate(flags.gate));
  Json request = {{"release", flags.release}};
  if (!flags.nodes.empty()) request["nodes"] = flags.nodes;
  if (!flags.waves.empty()) request["waves"] = flags.waves;
  if (!gate.empty()) request["gate"] = std::move(gate);
  if (flags.soak_items) request["soak_items"] = *flags.soak_items;
  MORU_ASSIGN_OR_RETURN(const Json answer, client.post("/v1/rollouts", request));
  MORU_ASSIGN_OR_RETURN(const std::string id, json_field<std::string>(answer, "id", "/v1/rollouts"));
  if (flags.watch) return watch(client, id, flags.format);
  if (flags.format == Format::kJson) {
    print_json(answer);
  } else {
    print_text(id + "\n");
  }
  return kDone;
}

Outcome watch_one(const Flags& flags) {
  MORU_RETURN_IF_ERROR(check_id(flags.id));
  MORU_ASSIGN_OR_RETURN(const auto client, connect(flags.access));
  return watch(client, flags.id, flags.format);
}

Outcome show(const Flags& flags) {
  MORU_RETURN_IF_ERROR(check_id(flags.id));
  MORU_ASSIGN_OR_RETURN(const auto client, connect(flags.access));
  MORU_ASSIGN_OR_RETURN(const Json rollout, client.get("/v1/rollouts/" + flags.id));
  print(rollout, flags.format);
  return kDone;
}

Outcome list(const Flags& flags) {
  MORU_ASSIGN_OR_RETURN(const auto client, connect(flags.access));
  MORU_ASSIGN_OR_RETURN(const Json answer, client.get("/v1/rollouts"));
  if (flags.format == Format::kJson) {
    print_json(answer);
    return kDone;
  }
  for (const Json& rollout : answer.value("rollouts", Json::array())) print_text(describe(rollout));
  return kDone;
}

Outcome abort(const Flags& flags) {
  MORU_RETURN_IF_ERROR(check_id(flags.id));
  MORU_ASSIGN_OR_RETURN(const auto client, connect(flags.access));
  MORU_ASSIGN_OR_RETURN(const Json answer, client.post("/v1/rollouts/" + flags.id + "/abort", {{"reason", flags.reason}}));
  if (flags.format == Format::kJson) {
    print_json(answer);
  } else {
    print_text(fmt::format("Rollout {} is aborted; its nodes stay on what they had.\n", flags.id));
  }
  return kDone;
}

void add(CLI::App& app, std::function<Outcome()>* run) {
  static Flags flags;
  app.require_subcommand(1);
  const auto add_verb = [&](const char* name, const char* doc, Outcome (*verb)(const Flags&)) {
    return add_hub_verb(app, run, name, doc, &flags.access, &flags.format, [verb] { return verb(flags); });
  };
  CLI::App* make = add_verb("create", "Roll a release out to nodes, in waves, behind the gate", create);
  make->add_option("--release", flags.release, "Its number")->required()->check(CLI::PositiveNumber);
  make->add_option("--node", flags.nodes, "Only to this node (again for more; default: all)");
  make->add_option("--wave", flags.waves, "Growing shares of the nodes, the last 1 (default: 0.5 1)")->check(CLI::Range(0.0, 1.0));
  make->add_option(
      "--gate", flags.gate,
      "NAME=NUMBER: min_items, max_items, allowed_drop, harmful_drop, alpha, beta, min_agreement, latency_ratio, latency_floor_ms");
  make->add_option("--soak-items", flags.soak_items, "Items that a node watches after the swap");
  make->add_flag("--watch", flags.watch, "Wait for its end; exit code 3 when the gate fails it");
  make->footer("Example:\n  moru rollout create --release 2 --watch");
  CLI::App* look = add_verb("watch", "Wait for the end of a rollout; exit code 3 when the gate fails it", watch_one);
  CLI::App* one = add_verb("show", "One rollout: state, reason, figures, nodes", show);
  add_verb("list", "All rollouts, oldest first", list)->footer("Example:\n  moru rollout list");
  CLI::App* end = add_verb("abort", "End a rollout; nodes that have not committed return to what they had", abort);
  for (CLI::App* command : {look, one, end}) command->add_option("id", flags.id, "Its id")->required();
  end->add_option("--reason", flags.reason, "One sentence, kept with the rollout")->required();
  look->footer("Example:\n  moru rollout watch r2-9f2c1ab4");
  one->footer("Example:\n  moru rollout show r2-9f2c1ab4 --format json");
  end->footer("Example:\n  moru rollout abort r2-9f2c1ab4 --reason \"wrong release\"");
  app.footer("Example:\n  moru rollout create --release 2 --watch");
}

}  // namespace

extern const NounSpec kNoun_rollout;
const NounSpec kNoun_rollout{.name = "rollout", .doc = "Roll releases out to nodes", .add = add};

}  // namespace moru::cli
