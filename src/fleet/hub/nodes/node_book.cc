// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/nodes/node_book.h"

#include <fmt/format.h>

#include "core/json.h"

namespace moru::fleet {
namespace {

constexpr TimeNs kSilence = 15 * kSecond;

std::unexpected<Error> unknown(const std::string& node) {
  return fail(ErrorCode::kNotFound, fmt::format("node '{}': no node of that name has joined; see: moru node list", node));
}

}  // namespace

Status NodeBook::load() {
  MORU_ASSIGN_OR_RETURN(const auto rows, store_.nodes());
  const std::lock_guard lock(mutex_);
  for (const NodeRow& row : rows) {
    Entry entry;
    entry.joined = row.joined;
    entry.last_seen = row.last_seen;
    if (!row.state.empty()) {
      MORU_ASSIGN_OR_RETURN_IN("hub database: node " + row.name, entry.view.state, wire::read_node_state(row.state));
    }
    entries_[row.name] = std::move(entry);
  }
  return {};
}

void NodeBook::joined(const std::string& node) {
  const std::lock_guard lock(mutex_);
  entries_[node] = Entry{.view = {}, .last_heard = 0, .joined = clock_.wall_now(), .last_seen = 0, .changed = false};
}

Status NodeBook::take_state(const std::string& node, std::string_view payload) {
  MORU_ASSIGN_OR_RETURN(auto state, wire::read_node_state(payload));
  if (state.node != node) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("state: found node '{}' in the message of node '{}', expected its own name", state.node, node));
  }
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(node);
  if (it == entries_.end()) return unknown(node);
  Entry& entry = it->second;
  // The broker repeats the last state of a node that is long gone: the same again is no sign of life.
  if (!entry.view.state || entry.view.state->time != state.time) {
    entry.last_seen = clock_.wall_now();
    entry.last_heard = clock_.steady_now();
    entry.changed = true;
  }
  entry.view.state = std::move(state);
  return {};
}

Status NodeBook::take_online(const std::string& node, bool online) {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(node);
  if (it == entries_.end()) return unknown(node);
  it->second.view.online = online;
  it->second.last_heard = clock_.steady_now();
  return {};
}

NodeViews NodeBook::views() const {
  const std::lock_guard lock(mutex_);
  NodeViews views;
  for (const auto& [name, entry] : entries_) {
    NodeView view = entry.view;
    view.online = online(entry);
    views.emplace(name, std::move(view));
  }
  return views;
}

bool NodeBook::online(const Entry& entry) const { return entry.view.online && clock_.steady_now() - entry.last_heard < kSilence; }

Json NodeBook::describe(const std::string& node, const Entry& entry) const {
  Json state;
  if (entry.view.state) state = Json::parse(wire::write(*entry.view.state), nullptr, false);
  return {{"node", node}, {"online", online(entry)}, {"joined", entry.joined}, {"last_seen", entry.last_seen}, {"state", std::move(state)}};
}

Json NodeBook::list() const {
  const std::lock_guard lock(mutex_);
  Json all = Json::array();
  for (const auto& [name, entry] : entries_) all.push_back(describe(name, entry));
  return all;
}

Result<Json> NodeBook::show(const std::string& node) const {
  const std::lock_guard lock(mutex_);
  const auto it = entries_.find(node);
  if (it == entries_.end()) return unknown(node);
  return describe(node, it->second);
}

NodeBook::Totals NodeBook::totals() const {
  const std::lock_guard lock(mutex_);
  Totals totals;
  totals.nodes = entries_.size();
  for (const auto& [name, entry] : entries_) {
    const bool is_online = online(entry);
    if (is_online) ++totals.online;
    if (!entry.view.state) continue;
    totals.items += entry.view.state->items;
    totals.missed += entry.view.state->missed;
    if (is_online) totals.items_per_second += entry.view.state->items_per_second;
  }
  return totals;
}

Status NodeBook::save() {
  std::vector<NodeRow> rows;
  {
    const std::lock_guard lock(mutex_);
    for (auto& [name, entry] : entries_) {
      if (!entry.changed || !entry.view.state) continue;
      rows.push_back({name, entry.joined, entry.last_seen, wire::write(*entry.view.state)});
      entry.changed = false;
    }
  }
  return rows.empty() ? Status{} : store_.save_states(std::move(rows));
}

}  // namespace moru::fleet
