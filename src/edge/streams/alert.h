// SPDX-License-Identifier: Apache-2.0
// Alerts: what the stage `alert` is told to do, and what it knows of one key.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "edge/streams/item.h"
#include "edge/streams/schema.h"

namespace moru::edge {

/// The options of the stage `alert`, whose documentation says what they mean.
struct AlertOptions {
  std::vector<std::string> key;
  std::string when = "true";
  std::string severity = "'warning'";
  std::string message;
  TimeNs hold = 0;
  TimeNs clear = 0;
  TimeNs silent = 0;  ///< 0: never, as those below
  TimeNs quiet = 0;
  TimeNs escalate = 0;
  TimeNs lasting = 0;
  std::string acknowledge_input;
  std::string acknowledge = "true";
  std::int64_t max_keys = 100'000;
  std::int64_t max_items = 100'000;
  std::string where;
  std::string when_where;
  std::string severity_where;
  std::string message_where;
  std::string acknowledge_where;
};

/// What is known of one key's alert.
struct Alert {
  static constexpr std::size_t kPorts = 5;  ///< of the stage
  enum class Phase : std::uint8_t { kNew, kHolding, kRaised, kQuiet };
  Phase phase = Phase::kNew;
  std::string key;
  Item last;        ///< what it tells; the latest item of the key
  Receipt receipt;  ///< of items that nothing has been told of yet
  TimeNs since = 0;
  TimeNs raised = 0;
  TimeNs last_bad = 0;
  TimeNs quiet_until = 0;
  std::optional<TimeNs> good_since;
  std::optional<TimeNs> timer;
  std::int64_t items = 0;
  std::size_t severity = 0;
  bool acknowledged = false;
  bool escalated = false;
  bool lasting = false;  ///< that it lasts has been told
  std::array<bool, kPorts> told = {};

  /// When something is due of it: it is raised, escalates, ends, or may be raised again. The end of time: never.
  TimeNs deadline(const AlertOptions& options) const;
};

/// Errors name the line.
Result<AlertOptions> read_alert_options(const ConfigObject& object);

}  // namespace moru::edge
