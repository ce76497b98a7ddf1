// SPDX-License-Identifier: Apache-2.0
#include "solutions/factory/report.h"

#include <fmt/format.h>

#include "core/json.h"
#include "core/text.h"

namespace moru::factory {
namespace {

constexpr double kMaxFalseAlarmRate = 0.01;
constexpr double kMinDetectionRate = 0.85;
constexpr double kMinFloatTop1 = 0.91;

double ratio(std::uint64_t part, std::uint64_t whole) { return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole); }

Json ledger_json(const wire::LinkLedger& ledger) {
  Json reasons = Json::object();
  for (const auto& [reason, count] : ledger.dropped) reasons[reason] = count;
  return {{"link", ledger.link},        {"in", ledger.in},
          {"out", ledger.out},          {"in_flight", ledger.in_flight},
          {"stored", ledger.stored},    {"dropped", ledger.dropped_total()},
          {"dropped_reasons", reasons}, {"balanced", ledger.balanced()}};
}

Json model_json(const forge::ModelFigures& model) {
  return {{"top1", model.top1},
          {"size_bytes", model.size_bytes},
          {"latency_p50_us", static_cast<double>(model.latency.p50) / 1e3},
          {"latency_p99_us", static_cast<double>(model.latency.p99) / 1e3}};
}

Json curve_json(const std::vector<forge::ThresholdPoint>& curve) {
  Json points = Json::array();
  for (const auto& point : curve)
    points.push_back({{"threshold", point.threshold}, {"false_alarms", point.false_alarms}, {"detection", point.detected}});
  return points;
}

Json rollout_json(const RolloutFigures& rollout) {
  return {{"release", rollout.release},
          {"what", rollout.what},
          {"outcome", rollout.outcome},
          {"reason", rollout.reason},
          {"seconds", rollout.seconds},
          {"shadow_items", rollout.shadow_items},
          {"accuracy_drop", rollout.drop},
          {"accuracy_drop_low", rollout.drop_low},
          {"accuracy_drop_high", rollout.drop_high},
          {"as_expected", rollout.expected}};
}

Json node_json(const NodeFigures& node) {
  Json links = Json::array();
  for (const auto& link : node.ledger) links.push_back(ledger_json(link));
  return {{"name", node.name}, {"release", node.release}, {"items", node.items}, {"missed", node.missed}, {"ledger", links}};
}

}  // namespace

double Report::false_alarm_rate() const { return ratio(false_alarms, items - defects_true); }
double Report::detection_rate() const { return ratio(defects_found, defects_true); }

wire::LinkLedger Report::ledger() const {
  wire::LinkLedger total;
  total.link = "source->hub";
  total.in = items;
  for (const auto& node : nodes) {
    total.out += node.delivered;
    for (const auto& link : node.ledger) {
      total.in_flight += link.in_flight;
      total.stored += link.stored;
      total.dropped.insert(total.dropped.end(), link.dropped.begin(), link.dropped.end());
    }
  }
  return total;
}

std::vector<std::string> Report::broken_promises() const {
  std::vector<std::string> broken;
  const auto promise = [&broken](bool kept, std::string sentence) {
    if (!kept) broken.push_back(std::move(sentence));
  };
  promise(float_model.top1 >= kMinFloatTop1,
          fmt::format("the float model names {} of the test images, promised {}", percent(float_model.top1), percent(kMinFloatTop1)));
  promise(budget_met,
          fmt::format("the int8 model loses {:.2f} points and has {:.1f} % of the size, the budget is {:.2f} points and {:.0f} %",
                      (float_model.top1 - int8_model.top1) * 100, ratio(int8_model.size_bytes, float_model.size_bytes) * 100,
                      max_drop * 100, max_size_ratio * 100));
  promise(missed == 0, fmt::format("{} items were missed, promised 0", missed));
  promise(ledger().balanced(), "the ledger does not add up");
  if (!nodes.empty()) {
    promise(false_alarm_rate() <= kMaxFalseAlarmRate,
            fmt::format("{} false alarms, promised at most {}", percent(false_alarm_rate()), percent(kMaxFalseAlarmRate)));
    promise(detection_rate() >= kMinDetectionRate,
            fmt::format("{} of the defects found, promised at least {}", percent(detection_rate()), percent(kMinDetectionRate)));
  }
  for (const auto& rollout : rollouts) {
    promise(rollout.expected,
            fmt::format("release {} ({}) ended as '{}': {}", rollout.release, rollout.what, rollout.outcome, rollout.reason));
  }
  return broken;
}

Json to_json(const Report& report) {
  const auto ledger = report.ledger();
  Json json = {
      {"accuracy_float", report.float_model.top1},
      {"accuracy_int8", report.int8_model.top1},
      {"size_float_bytes", report.float_model.size_bytes},
      {"size_int8_bytes", report.int8_model.size_bytes},
      {"latency_p50_us", static_cast<double>(report.latency_p50_ns) / 1e3},
      {"latency_p99_us", static_cast<double>(report.latency_p99_ns) / 1e3},
      {"items", report.items},
      {"missed", report.missed},
      {"defects_true", report.defects_true},
      {"defects_found", report.defects_found},
      {"false_alarms", report.false_alarms},
      {"ledger", ledger_json(ledger)},
  };
  json["rollouts"] = Json::array();
  for (const auto& rollout : report.rollouts) json["rollouts"].push_back(rollout_json(rollout));
  json["promises_broken"] = report.broken_promises();
  json["machine"] = report.machine;
  json["seed"] = report.seed;
  json["model_float"] = model_json(report.float_model);
  json["model_int8"] = model_json(report.int8_model);
  json["argmax_agreement"] = report.argmax_agreement;
  json["budget"] = {{"max_drop", report.max_drop}, {"max_size_ratio", report.max_size_ratio}, {"met", report.budget_met}};
  json["alert_threshold"] = report.threshold;
  json["nodes"] = Json::array();
  for (const auto& node : report.nodes) json["nodes"].push_back(node_json(node));
  json["steps"] = Json::array();
  for (const auto& step : report.steps) json["steps"].push_back({{"name", step.name}, {"seconds", step.seconds}, {"note", step.note}});
  json["curve_validation"] = curve_json(report.validation_curve);
  json["curve_test"] = curve_json(report.test_curve);
  return json;
}

std::string to_text(const Report& report) {
  const auto us = [](std::int64_t ns) { return human_duration_ns(ns); };
  std::string text = "\nModel                   float32         int8\n";
  text += fmt::format("  top-1 on the test   {:>10}   {:>10}\n", percent(report.float_model.top1), percent(report.int8_model.top1));
  text += fmt::format("  size                {:>10}   {:>10}   ({:.1f} %, at most {:.0f} %)\n", human_bytes(report.float_model.size_bytes),
                      human_bytes(report.int8_model.size_bytes), ratio(report.int8_model.size_bytes, report.float_model.size_bytes) * 100,
                      report.max_size_ratio * 100);
  text += fmt::format("  latency p50         {:>10}   {:>10}\n", us(report.float_model.latency.p50), us(report.int8_model.latency.p50));
  text += fmt::format("  latency p99         {:>10}   {:>10}\n", us(report.float_model.latency.p99), us(report.int8_model.latency.p99));
  text += fmt::format("  same class named    {:>10}\n\n", percent(report.argmax_agreement));
  if (!report.nodes.empty()) {
    const auto ledger = report.ledger();
    text += fmt::format("Line ({} nodes)\n", report.nodes.size());
    text += fmt::format("  items               {:>10}   missed {}\n", report.items, report.missed);
    text += fmt::format("  defects found       {:>10}   of {} ({}, at least {})\n", report.defects_found, report.defects_true,
                        percent(report.detection_rate()), percent(kMinDetectionRate, 0));
    text += fmt::format("  false alarms        {:>10}   ({}, at most {})\n", report.false_alarms, percent(report.false_alarm_rate()),
                        percent(kMaxFalseAlarmRate, 0));
    text += fmt::format("  item to alert       p50 {}, p99 {}\n", us(report.latency_p50_ns), us(report.latency_p99_ns));
    text += fmt::format("  ledger              in {} = out {} + in flight {} + stored {} + dropped {}   {}\n\n", ledger.in, ledger.out,
                        ledger.in_flight, ledger.stored, ledger.dropped_total(), ledger.balanced() ? "adds up" : "DOES NOT ADD UP");
    text += "Rollouts\n";
    for (const auto& rollout : report.rollouts) {
      text += fmt::format("  release {}  {:<10} {:>6.1f} s  {}\n             {}\n", rollout.release, rollout.outcome, rollout.seconds,
                          rollout.what, rollout.reason);
    }
  }
  text += "\nTime\n";
  double total = 0.0;
  for (const auto& step : report.steps) {
    text += fmt::format("  {:<34} {:>7.1f} s  {}\n", step.name, step.seconds, step.note);
    total += step.seconds;
  }
  text += fmt::format("  {:<34} {:>7.1f} s\n", "all", total);
  const auto broken = report.broken_promises();
  for (const auto& sentence : broken) text += fmt::format("\nNot met: {}", sentence);
  text += broken.empty() ? "\nEvery promise was kept.\n" : "\n";
  return text;
}

}  // namespace moru::factory
