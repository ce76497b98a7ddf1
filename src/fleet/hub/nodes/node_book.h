// SPDX-License-Identifier: Apache-2.0
// What the hub knows of its nodes at this moment: who has joined, who is online, what each said last.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "fleet/hub/rollout/rollout.h"
#include "fleet/hub/store/store.h"

namespace moru::fleet {

/// Threads: all functions from any thread.
class NodeBook {
 public:
  NodeBook(Store& store, const Clock& clock) : store_(store), clock_(clock) {}
  /// Last states from the store.
  Status load();

  /// A node joined, perhaps again under its name.
  void joined(const std::string& node);
  /// A message from topic .../ID/state. Errors: kNotFound (has not joined), kInvalidArgument.
  Status take_state(const std::string& node, std::string_view payload);
  /// From .../ID/online. A node that says nothing for 15 s is offline whatever it said last: the broker may have lost its
  /// last will.
  Status take_online(const std::string& node, bool online);

  NodeViews views() const;
  /// [{"node", "online", "joined", "last_seen", "state"}]; times in nanoseconds since the epoch, state null before the
  /// first report.
  Json list() const;
  /// One of them; kNotFound.
  Result<Json> show(const std::string& node) const;
  /// Nodes, online ones, and the sums of their items.
  struct Totals {
    std::size_t nodes = 0;
    std::size_t online = 0;
    double items_per_second = 0;
    std::uint64_t items = 0;
    std::uint64_t missed = 0;
  };
  Totals totals() const;
  /// Writes the states that changed since to the store.
  Status save();

 private:
  struct Entry {
    NodeView view;          // its `online` is what the node last said
    TimeNs last_heard = 0;  // steady clock
    TimeNs joined = 0;
    TimeNs last_seen = 0;
    bool changed = false;
  };
  bool online(const Entry& entry) const;
  Json describe(const std::string& node, const Entry& entry) const;

  Store& store_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace moru::fleet
