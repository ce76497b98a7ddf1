// SPDX-License-Identifier: Apache-2.0
#include "solutions/factory/evaluate.h"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

namespace moru::factory {
namespace {

struct Seen {
  std::uint64_t sequence = 0;
  TimeNs time = 0;
  std::int64_t order = 0;
  std::int64_t truth = 0;
  std::int64_t named = 0;
  bool alert = false;
  double latency_us = 0.0;
};

Result<Seen> read_seen(const Json& record) {
  MORU_ASSIGN_OR_RETURN(const auto body, json_field<Json>(record, "body", "record"));
  Seen seen;
  MORU_ASSIGN_OR_RETURN(seen.sequence, json_field<std::uint64_t>(body, "seq", "record"));
  MORU_ASSIGN_OR_RETURN(seen.time, json_field<TimeNs>(body, "time", "record"));
  MORU_ASSIGN_OR_RETURN(seen.order, json_field<std::int64_t>(body, "order", "record"));
  MORU_ASSIGN_OR_RETURN(seen.truth, json_field<std::int64_t>(body, "truth", "record"));
  MORU_ASSIGN_OR_RETURN(seen.named, json_field<std::int64_t>(body, "class", "record"));
  MORU_ASSIGN_OR_RETURN(seen.latency_us, json_field<double>(body, "latency_us", "record"));
  MORU_ASSIGN_OR_RETURN(const auto kind, json_field<std::string>(record, "kind", "record"));
  seen.alert = kind == "alert";
  return seen;
}

/// Counts and means per whole second since the first item.
class Timeline {
 public:
  explicit Timeline(TimeNs start) : start_(start) {}
  void add(TimeNs time, double value) {
    auto& [count, sum] = seconds_[(time - start_) / kSecond];
    ++count;
    sum += value;
  }
  std::vector<std::pair<double, double>> counts() const {
    std::vector<std::pair<double, double>> points;
    for (const auto& [second, entry] : seconds_) points.emplace_back(static_cast<double>(second), static_cast<double>(entry.first));
    return points;
  }
  std::vector<std::pair<double, double>> means() const {
    std::vector<std::pair<double, double>> points;
    for (const auto& [second, entry] : seconds_)
      points.emplace_back(static_cast<double>(second), entry.second / static_cast<double>(entry.first));
    return points;
  }

 private:
  TimeNs start_;
  std::map<std::int64_t, std::pair<std::uint64_t, double>> seconds_;
};

void count_item(const Seen& seen, Report& report) {
  const bool defect = seen.truth != seen.order;
  report.defects_true += defect ? 1 : 0;
  report.defects_found += defect && seen.alert ? 1 : 0;
  report.false_alarms += !defect && seen.alert ? 1 : 0;
}

void fill_latency(std::vector<double> latencies_us, Report& report) {
  if (latencies_us.empty()) return;
  std::sort(latencies_us.begin(), latencies_us.end());
  const auto at = [&latencies_us](double share) {
    const auto last = static_cast<double>(latencies_us.size() - 1);
    return latencies_us[static_cast<std::size_t>(share * last)];
  };
  report.latency_p50_ns = static_cast<std::int64_t>(at(0.50) * 1e3);
  report.latency_p99_ns = static_cast<std::int64_t>(at(0.99) * 1e3);
  constexpr int kPoints = 200;
  for (int i = 0; i <= kPoints; ++i) {
    const double share = static_cast<double>(i) / kPoints;
    report.latency_distribution.emplace_back(at(share) / 1e3, share);
  }
}

/// The durable link of a node.
std::uint64_t delivered_by(const wire::NodeState& state) {
  const auto outbox = std::find_if(state.ledger.begin(), state.ledger.end(), [](const auto& link) { return link.link == "outbox->hub"; });
  return outbox == state.ledger.end() ? 0 : outbox->out;
}

}  // namespace

Status evaluate_line(const std::vector<Json>& records, const std::vector<wire::NodeState>& nodes, Report& report) {
  std::map<std::string, std::vector<Seen>> by_node;
  TimeNs start = std::numeric_limits<TimeNs>::max();
  for (const auto& record : records) {
    if (json_or<std::string>(record, "kind", "") == "lost") continue;  // the disk damaged it: the item counts as missed
    MORU_ASSIGN_OR_RETURN(const auto node, json_field<std::string>(record, "node", "record"));
    MORU_ASSIGN_OR_RETURN(auto seen, read_seen(record));
    start = std::min(start, seen.time);
    by_node[node].push_back(seen);
  }
  Timeline agreement(start);
  std::vector<double> latencies_us;
  for (const auto& state : nodes) {
    std::set<std::uint64_t> stored;
    Timeline throughput(start);
    for (const auto& seen : by_node[state.node]) {
      if (!stored.insert(seen.sequence).second) continue;
      count_item(seen, report);
      latencies_us.push_back(seen.latency_us);
      throughput.add(seen.time, 1.0);
      agreement.add(seen.time, seen.named == seen.order ? 1.0 : 0.0);
    }
    const std::uint64_t missed = state.missed + (state.items > stored.size() ? state.items - stored.size() : 0);
    report.nodes.push_back({state.node, state.release, state.items, missed, delivered_by(state), state.ledger});
    report.items += state.items;
    report.missed += missed;
    report.throughput.emplace_back(state.node, throughput.counts());
  }
  report.agreement = agreement.means();
  fill_latency(std::move(latencies_us), report);
  return {};
}

}  // namespace moru::factory
