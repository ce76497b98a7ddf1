// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/alert.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>
#include <utility>

#include "core/text.h"

namespace moru::edge {
namespace {

Status read_acknowledge(const std::optional<ConfigObject>& object, AlertOptions& options) {
  if (!object) return {};
  options.acknowledge_where = object->where();
  ConfigReader reader(*object);
  reader.required("input", &options.acknowledge_input);
  reader.optional("where", &options.acknowledge);
  return reader.finish();
}

}  // namespace

TimeNs Alert::deadline(const AlertOptions& options) const {
  TimeNs next = std::numeric_limits<TimeNs>::max();
  const auto at = [&](TimeNs start, TimeNs length) {
    if (length > 0) next = std::min(next, start + length);
  };
  switch (phase) {
    case Phase::kNew: break;
    case Phase::kHolding: at(since, options.hold); break;
    case Phase::kQuiet: return quiet_until;
    case Phase::kRaised:
      at(last_bad, options.silent);
      if (good_since) at(*good_since, options.clear);
      if (!acknowledged && !escalated) at(raised, options.escalate);
      if (!lasting) at(raised, options.lasting);
      break;
  }
  return next;
}

Result<AlertOptions> read_alert_options(const ConfigObject& object) {
  AlertOptions options;
  std::optional<ConfigObject> acknowledge;
  ConfigReader reader(object);
  const std::array<std::pair<std::string_view, TimeNs*>, 6> lengths = {{{"hold_ms", &options.hold},
                                                                        {"clear_ms", &options.clear},
                                                                        {"silent_ms", &options.silent},
                                                                        {"quiet_ms", &options.quiet},
                                                                        {"escalate_ms", &options.escalate},
                                                                        {"lasting_ms", &options.lasting}}};
  for (const auto& [name, length] : lengths) {
    double ms = 0.0;
    reader.optional(name, &ms, {.min = 0.0, .max = 1e11});
    *length = static_cast<TimeNs>(ms * 1e6);
  }
  reader.optional("key", &options.key);
  reader.optional("when", &options.when);
  reader.optional("severity", &options.severity);
  reader.optional("message", &options.message);
  reader.optional("acknowledge", &acknowledge);
  reader.optional("max_keys", &options.max_keys, {.min = 1, .max = 1e8});
  reader.optional("max_items", &options.max_items, {.min = 1, .max = 1e9});
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_RETURN_IF_ERROR(read_acknowledge(acknowledge, options));
  const auto where = [&](std::string_view name) { return object.find(name).value_or(object).where(); };
  options.where = where("key");
  options.when_where = where("when");
  options.severity_where = where("severity");
  options.message_where = where("message");
  return options;
}

}  // namespace moru::edge
