// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/alert.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "edge/streams/expression.h"
#include "edge/streams/keyed_states.h"
#include "edge/streams/stage.h"
#include "edge/streams/text_template.h"
#include "edge/streams/time_order.h"

namespace moru::edge {
namespace {

constexpr TimeNs kNever = std::numeric_limits<TimeNs>::max();
constexpr std::array<std::string_view, Alert::kPorts> kPorts = {"out", "info", "warning", "critical", "escalated"};
constexpr std::size_t kFirstSeverity = 1;  // of the ports
constexpr std::size_t kSeverities = 3;
constexpr std::size_t kEscalated = 4;

/// What an item says of its key.
enum class Says : std::uint8_t { kNothing, kBad, kGood, kAcknowledged };

class AlertStage final : public Stage {
 public:
  explicit AlertStage(AlertOptions options)
      : options_(std::move(options)), alerts_({options_.key.begin(), options_.key.end()}, options_.where, options_.max_keys) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    std::vector<Schema> raising;
    if (!options_.acknowledge_input.empty()) {
      MORU_ASSIGN_OR_RETURN(acknowledging_, input_named(options_.acknowledge_where, options_.acknowledge_input, inputs));
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      MORU_RETURN_IF_ERROR(alerts_.check(inputs[i]));
      if (acknowledging_ == i) {
        MORU_ASSIGN_OR_RETURN(acknowledge_, Expression::condition(options_.acknowledge, inputs[i], options_.acknowledge_where));
      } else {
        raising.push_back(inputs[i]);
      }
    }
    if (raising.empty())
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found only the input that acknowledges, expected one that raises alerts, too", options_.where));
    Schema schema = common(raising);
    MORU_ASSIGN_OR_RETURN(when_, Expression::condition(options_.when, schema, options_.when_where));
    MORU_ASSIGN_OR_RETURN(severity_, Expression::compile(options_.severity, schema, options_.severity_where));
    if (severity_->type() != FieldType::kText)
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found a number as the severity, expected 'info', 'warning' or 'critical'", options_.severity_where));
    for (const std::string_view name : {"alert", "severity", "alert_reason"}) schema.set({.name = name, .type = FieldType::kText});
    schema.set({.name = "alert_start", .type = FieldType::kInt64, .unit = "ns"});
    schema.set({.name = "alert_items", .type = FieldType::kInt64});
    MORU_ASSIGN_OR_RETURN(message_, TextTemplate::parse(options_.message, schema, options_.message_where));
    if (!options_.message.empty()) schema.set({.name = "message", .type = FieldType::kText});
    schema.rate_hz = 0.0;
    schema.period = 0;
    return std::vector<Schema>(kPorts.size(), schema);
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override { return process_from(0, std::move(item), output); }

  Status process_from(std::size_t input, Item&& item, Output& output) override {
    Report report;
    if (const Fault fault = read(input, item, report); fault != Fault::kNone) return drop(output, to_string(fault));
    if (report.says == Says::kNothing) return drop(output, "filtered");
    if (report.severity >= kSeverities) return drop(output, "unknown severity");
    if (!alerts_.read(item)) return drop(output, "field missing");
    if (!in_time_range(item.event_time)) return drop(output, "time out of range");
    if (item.event_time < watermark_) return drop(output, "late");
    if (static_cast<std::int64_t>(order_.size()) >= options_.max_items) return drop(output, "too many items");
    latest_ = std::max(latest_, item.event_time);
    const TimeNs time = item.event_time;
    report.item = std::move(item);
    order_.put(time, input, std::move(report));
    return {};
  }

  void watermark(TimeNs time, Output& output) override {
    watermark_ = time;
    order_.advance(
        time, [&](TimeNs, std::size_t, Report&& report) { take(std::move(report), output); },
        [&](TimeNs at, std::size_t, const std::string& key) { on_timer(at, key, output); });
  }

  /// What event time has not come to is not told.
  void finish(Output& output) override {
    if (latest_ < kNever) watermark(std::max(watermark_, latest_ + 1), output);
    ended_ = true;
    watermark(kNever, output);
  }
  std::uint64_t held() const override { return order_.size() + holding_; }

 private:
  struct Report {
    Item item;
    Says says = Says::kNothing;
    std::size_t severity = 0;
  };

  Fault read(std::size_t input, const Item& item, Report& report) const {
    bool is = false;
    if (input == acknowledging_) {
      const Fault fault = acknowledge_->test(item, is);
      report.says = is ? Says::kAcknowledged : Says::kNothing;
      return fault;
    }
    report.says = Says::kGood;
    if (const Fault fault = when_->test(item, is); fault != Fault::kNone || !is) return fault;
    report.says = Says::kBad;
    Expression::Value value;
    const Fault fault = severity_->run(item, value);
    const auto first = kPorts.begin() + kFirstSeverity;
    report.severity = static_cast<std::size_t>(std::find(first, first + kSeverities, value.text) - first);
    return fault;
  }

  void take(Report report, Output& output) {
    alerts_.read(report.item);
    Alert* alert = alerts_.known(alerts_.bytes());
    if (alert == nullptr) {
      if (report.says != Says::kBad) return output.drop("no alert");
      alert = alerts_.find(report.item, output);
      if (alert == nullptr) return;
      alert->key = alerts_.bytes();
    }
    switch (report.says) {
      case Says::kNothing: break;  // it was not taken
      case Says::kBad: bad(*alert, std::move(report), output); break;
      case Says::kGood: good(*alert, std::move(report.item), output); break;
      case Says::kAcknowledged: acknowledged(*alert, report.item.event_time, output); break;
    }
  }

  void bad(Alert& alert, Report report, Output& output) {
    const TimeNs now = report.item.event_time;
    if (alert.phase == Alert::Phase::kQuiet) return output.drop("held off");
    const bool worse = alert.phase == Alert::Phase::kRaised && report.severity > alert.severity;
    alert.severity = std::max(alert.severity, report.severity);
    alert.receipt.add(std::exchange(report.item.receipt, {}));
    alert.last = std::move(report.item);
    alert.last_bad = now;
    alert.good_since.reset();
    ++alert.items;
    if (alert.phase == Alert::Phase::kNew) {
      alert.since = now;
      alert.phase = Alert::Phase::kHolding;
      ++holding_;
      if (options_.hold == 0) raise(alert, now, output);
    } else if (worse) {
      alert.acknowledged = false;  // of what is worse nobody has said that it was seen
      account(tell(alert, "worse", "severity", now, output), output);
    } else {
      output.drop("grouped");
    }
    if (alert.phase != Alert::Phase::kHolding) alert.receipt.reset();
    arm(alert);
  }

  void good(Alert& alert, Item item, Output& output) {
    const TimeNs now = item.event_time;
    if (alert.phase == Alert::Phase::kQuiet) return output.drop("no alert");
    if (alert.phase == Alert::Phase::kHolding) {
      output.drop("no alert");
      return let_go(alert, "too short", output);
    }
    alert.receipt = std::exchange(item.receipt, {});
    alert.last = std::move(item);
    if (options_.clear == 0) return account(resolve(alert, "cleared", now, output), output);
    alert.receipt.reset();
    if (!alert.good_since) alert.good_since = now;
    output.drop("grouped");
    arm(alert);
  }

  void acknowledged(Alert& alert, TimeNs now, Output& output) {
    if (alert.phase != Alert::Phase::kRaised || alert.acknowledged) return output.drop("no alert");
    alert.acknowledged = true;
    account(tell_all(alert, "acknowledged", "", now, output), output);
  }

  void on_timer(TimeNs now, const std::string& key, Output& output) {
    Alert& alert = *alerts_.known(key);  // what has a timer is known
    alert.timer.reset();
    if (ended_) return let_go(alert, "ended", output);
    const auto due = [&](TimeNs start, TimeNs length) { return length > 0 && start + length <= now; };
    if (alert.phase == Alert::Phase::kHolding) {
      raise(alert, now, output);
    } else if (alert.phase == Alert::Phase::kQuiet) {
      if (alert.quiet_until <= now) return let_go(alert, "", output);
    } else if (alert.good_since && due(*alert.good_since, options_.clear)) {
      resolve(alert, "cleared", now, output);
      return;
    } else if (due(alert.last_bad, options_.silent)) {
      resolve(alert, "silent", now, output);
      return;
    } else {
      if (!alert.acknowledged && !alert.escalated && due(alert.raised, options_.escalate)) escalate(alert, "not acknowledged", now, output);
      if (!alert.lasting && due(alert.raised, options_.lasting)) {
        alert.lasting = true;
        escalate(alert, "lasting", now, output);
      }
    }
    arm(alert);
  }

  void raise(Alert& alert, TimeNs now, Output& output) {
    alert.phase = Alert::Phase::kRaised;
    alert.raised = now;
    --holding_;
    account(tell(alert, "raised", "", now, output), output);
    alert.receipt.reset();
  }

  void escalate(Alert& alert, std::string_view reason, TimeNs now, Output& output) {
    alert.escalated = true;
    const std::size_t port = output.is_read(kEscalated) ? kEscalated : port_of(alert, output);
    tell_by(port, alert, "escalated", reason, now, output);
  }

  bool resolve(Alert& alert, std::string_view reason, TimeNs now, Output& output) {
    const bool told = tell_all(alert, "resolved", reason, now, output);
    if (options_.quiet == 0) {
      let_go(alert, "", output);
      return told;
    }
    alert.phase = Alert::Phase::kQuiet;
    alert.quiet_until = now + options_.quiet;
    alert.last = {};
    alert.receipt.reset();
    arm(alert);
    return told;
  }

  /// Forgets the alert; `reason`: why the item that began it has come to nothing.
  void let_go(Alert& alert, std::string_view reason, Output& output) {
    if (alert.phase == Alert::Phase::kHolding) {
      --holding_;
      output.drop(reason);
    }
    if (alert.timer) order_.take_timer_back(*alert.timer, 0, alert.key);
    alerts_.erase(std::string(alert.key));  // a copy: the name dies with the alert
  }

  /// One timer an alert; one that stands too early finds nothing due, and sets itself anew.
  void arm(Alert& alert) {
    const TimeNs next = alert.deadline(options_);
    if (next == kNever || (alert.timer && *alert.timer <= next)) return;
    if (alert.timer) order_.take_timer_back(*alert.timer, 0, alert.key);
    alert.timer = next;
    order_.set_timer(next, 0, alert.key);
  }

  static std::size_t port_of(const Alert& alert, const Output& output) {
    const std::size_t port = kFirstSeverity + alert.severity;
    return output.is_read(port) ? port : 0;
  }
  bool tell(Alert& alert, std::string_view what, std::string_view reason, TimeNs now, Output& output) {
    return tell_by(port_of(alert, output), alert, what, reason, now, output);
  }
  /// To everyone who has heard of it.
  bool tell_all(Alert& alert, std::string_view what, std::string_view reason, TimeNs now, Output& output) {
    bool any = false;
    for (std::size_t port = 0; port < kPorts.size(); ++port) {
      if (alert.told[port]) any = tell_by(port, alert, what, reason, now, output) || any;
    }
    return any;
  }
  bool tell_by(std::size_t port, Alert& alert, std::string_view what, std::string_view reason, TimeNs now, Output& output) {
    if (!output.is_read(port)) return false;
    alert.told[port] = true;
    Item item = alert.last;
    item.receipt = alert.receipt;
    if (item.event_time != now) item.emitted = 0;  // a timer's: it is due now
    item.sequence = ++emitted_;
    item.event_time = now;
    item.set("alert", what);
    item.set("severity", kPorts[kFirstSeverity + alert.severity]);
    item.set("alert_reason", reason);
    item.set("alert_start", alert.since);
    item.set("alert_items", alert.items);
    if (!options_.message.empty()) {
      message_->fill(item, text_);
      item.set("message", text_);
    }
    output.emit_to(port, std::move(item));
    return true;
  }
  /// The end of the item that made it tell something.
  static void account(bool told, Output& output) { told ? output.used(1) : output.drop("not read"); }

  const AlertOptions options_;
  KeyedStates<Alert> alerts_;
  std::optional<std::size_t> acknowledging_;  ///< the input
  std::optional<Expression> when_;
  std::optional<Expression> severity_;
  std::optional<Expression> acknowledge_;
  std::optional<TextTemplate> message_;
  TimeOrder<Report> order_;
  TimeNs watermark_ = std::numeric_limits<TimeNs>::min();
  TimeNs latest_ = std::numeric_limits<TimeNs>::min();
  bool ended_ = false;
  std::uint64_t holding_ = 0;
  std::uint64_t emitted_ = 0;
  std::string text_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  MORU_ASSIGN_OR_RETURN(auto options, read_alert_options(object));
  return std::make_unique<AlertStage>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_alert;
const StageSpec kStage_alert{
    .name = "alert",
    .kind = StageKind::kStage,
    .doc = R"(Makes alerts of items, one for each key at a time: raised once however many items say so, escalated, resolved.

Reads   the fields of `key` (int64 or text) on every input, and those in the expressions and the message
Writes  all fields of the key's latest item, and
        alert         text: raised, worse (a higher severity), acknowledged, escalated, resolved
        severity      text: info, warning or critical, the worst so far
        alert_reason  text: of worse "severity", of escalated "not acknowledged" or "lasting", of resolved "cleared" or "silent"
        alert_start   int64, ns since 1970: of its first item; with the key it says which alert it is
        alert_items   int64, items so far that raise it
        message       text, where there is one

An alert goes out by the port of its severity (inputs: [NAME.critical]) where somebody reads that, else by `out`; an escalation by
`escalated` where somebody reads it. Whoever was told of an alert is told when it is acknowledged and resolved. All time is event time,
and nothing is looked at before it has passed it on every input, so a recorded stream gives the same alerts.

Items that only add to an alert are dropped("grouped"), those that come when none is open dropped("no alert"), an alert that does
not last for hold_ms dropped("too short"), what comes in the quiet after one dropped("held off"), what comes when event time has passed
it dropped("late"), what nobody reads dropped("not read"). What has not been decided when the stream ends is dropped("ended").

Options
  when: EXPRESSION       is true of an item that raises the alert; the others end it. Default: true of all
  severity: EXPRESSION   'info', 'warning' or 'critical', of an item that raises it; default 'warning'. Anything else: dropped("unknown
                         severity")
  message: TEXT          {FIELD} stands for a field's value
  key: [FIELD, ...]      none: one alert for all
  hold_ms: 0             so long no item may end it before it is raised
  clear_ms: 0            so long no item may raise it again before it is resolved
  silent_ms: 0           so long without an item that raises it, and it is resolved; 0: never
  quiet_ms: 0            so long after it was resolved it is not raised again
  escalate_ms: 0         so long after it was raised it escalates, where nobody has acknowledged it; 0: never
  lasting_ms: 0          the same, acknowledged or not
  acknowledge: {input: INPUT, where: EXPRESSION}   an item of that input acknowledges the alert of its key
  max_keys: 100000       alerts at a time; items of further keys are dropped("too many keys")
  max_items: 100000      that wait for event time; further ones are dropped("too many items")
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: alerts
spec:
  stages:
    - name: ovens
      stage: synthetic
      options: {keys: 2, items: 4000, period_ms: 100, unit: degC, mean: 60, amplitude: 20}
    - name: alerts
      stage: alert
      inputs: [ovens]
      options:
        key: [device]
        when: value > 70
        severity: if(value > 78, 'critical', 'warning')
        message: "{device} is at {value} degC"
        hold_ms: 500
        clear_ms: 2000
        escalate_ms: 10000
    - name: pager
      stage: write_json
      inputs: [alerts.critical, alerts.escalated]
      options: {path: pager.jsonl}
    - name: log
      stage: write_json
      inputs: [alerts]
      options: {path: alerts.jsonl}
)",
    .create = create,
    .light = true,
    .timed = true,
    .holds = true,
    .tells_inputs = true,
    .outputs = kPorts,
};

}  // namespace moru::edge
