// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <system_error>

#include "core/log.h"
#include "edge/streams/lane.h"

namespace moru::edge {
namespace {

constexpr TimeNs kRateWindow = 5 * kSecond;
constexpr TimeNs kRateStep = 200 * kMillisecond;
constexpr std::size_t kQueue = 64;         // items of a queue, where the file says nothing
constexpr std::size_t kLightQueue = 1024;  // the same in front of a light stage, which takes many at once

/// Items per second over the last five seconds, from what state() sees when it is asked.
class RateMeter {
 public:
  explicit RateMeter(TimeNs now) { samples_.push_back({now, 0}); }
  double update(TimeNs now, std::uint64_t items) {
    while (samples_.size() > 1 && now - samples_[1].time >= kRateWindow) samples_.pop_front();
    const auto [time, count] = samples_.front();
    if (now - samples_.back().time >= kRateStep) samples_.push_back({now, items});
    return now <= time ? 0.0 : static_cast<double>(items - count) * static_cast<double>(kSecond) / static_cast<double>(now - time);
  }

 private:
  struct Sample {
    TimeNs time;
    std::uint64_t items;
  };
  std::deque<Sample> samples_;
};

class RunningStream final : public Stream {
 public:
  RunningStream(std::string name, Clock& clock) : shared_(std::move(name), clock), rate_(clock.steady_now()) {}
  ~RunningStream() override { stop(); }

  Status open(const StreamSpec& spec, StageContext context);
  Status run();
  StreamState state() const override;
  void drain_at(std::uint64_t items) override;
  void stop() override;
  bool finished() const override {
    const std::lock_guard lock(shared_.mutex);
    return shared_.running == 0;
  }

 private:
  Status create_and_open(const StreamSpec& spec);
  Status create_node(const StreamSpec& spec, std::size_t index);
  void connect(const StreamSpec& spec);
  std::string state_name(const std::string& waiting, const std::string& stale) const;

  StreamShared shared_;
  std::vector<std::unique_ptr<StreamNode>> nodes_;  ///< in the order of the file
  std::vector<std::unique_ptr<Lane>> lanes_;
  mutable RateMeter rate_;
  std::mutex join_mutex_;
};

Status RunningStream::open(const StreamSpec& spec, StageContext context) {
  shared_.context = std::move(context);
  shared_.context.stop = shared_.stop.get_token();
  for (const auto& entry : spec.stages) nodes_.push_back(std::make_unique<StreamNode>(entry));
  connect(spec);
  return create_and_open(spec);
}

Status RunningStream::create_node(const StreamSpec& spec, std::size_t index) {
  std::vector<Schema> inputs;
  for (const auto& link : spec.stages[index].links) inputs.push_back(nodes_[link.from]->schemas()[link.port]);
  MORU_RETURN_IF_ERROR(nodes_[index]->create(inputs));
  return nodes_[index]->open(shared_.context);
}

Status RunningStream::create_and_open(const StreamSpec& spec) {
  std::vector<StreamNode*> opened;
  for (const std::size_t index : spec.order) {
    StreamNode& node = *nodes_[index];
    const Status status = create_node(spec, index);
    if (status) {
      opened.push_back(&node);
      continue;
    }
    for (StreamNode* other : opened) {
      if (const auto closed = other->close(); !closed)
        MORU_LOG(kWarn, "stage not closed", "stage", other->entry().name, "error", closed.error().message);
    }
    return fail(status.error().in(fmt::format("stream '{}': stage '{}'", shared_.name, node.entry().name)));
  }
  return {};
}

/// Makes the lanes, and tells each node who reads from it.
void RunningStream::connect(const StreamSpec& spec) {
  const auto lane_of = assign_lanes(spec);
  const std::size_t count = 1 + *std::ranges::max_element(lane_of);
  std::vector<std::vector<StreamNode*>> members(count);
  for (const std::size_t index : spec.order) members[lane_of[index]].push_back(nodes_[index].get());
  std::vector<std::vector<Inbox::LinkOptions>> links(count);
  const auto link_name = [&](std::size_t index, std::size_t input) {
    return fmt::format("{}->{}", spec.stages[index].inputs[input], spec.stages[index].name);
  };
  const auto is_head = [&](std::size_t index) { return members[lane_of[index]].front() == nodes_[index].get(); };
  for (const std::size_t index : spec.order) {
    const auto& entry = spec.stages[index];
    for (std::size_t input = 0; is_head(index) && input < entry.links.size(); ++input) {
      const auto capacity = entry.links[input].queue.value_or(entry.spec->light ? kLightQueue : kQueue);
      links[lane_of[index]].push_back({link_name(index, input), capacity, entry.links[input].overflow});
    }
  }
  for (std::size_t i = 0; i < count; ++i) lanes_.push_back(std::make_unique<Lane>(shared_, std::move(members[i]), std::move(links[i])));
  for (auto it = spec.order.rbegin(); it != spec.order.rend(); ++it) {
    const auto& entry = spec.stages[*it];
    StreamNode& node = *nodes_[*it];
    node.timed = node.timed || entry.spec->timed;
    for (std::size_t input = 0; input < entry.links.size(); ++input) {
      StreamNode& from = *nodes_[entry.links[input].from];
      from.timed = from.timed || node.timed;
      Inbox* const inbox = lane_of[*it] == lane_of[entry.links[input].from] ? nullptr : &lanes_[lane_of[*it]]->inbox();
      from.targets().push_back({.port = entry.links[input].port,
                                .node = &node,
                                .input = input,
                                .inbox = inbox,
                                .link = input,
                                .name = link_name(*it, input),
                                .batch = {}});
    }
  }
}

Status RunningStream::run() {
  {
    const std::lock_guard lock(shared_.mutex);
    shared_.running = shared_.unprepared = lanes_.size();
    shared_.running_sources = static_cast<std::size_t>(std::ranges::count_if(lanes_, [](const auto& lane) { return lane->has_source(); }));
    shared_.running_stages = lanes_.size() - shared_.running_sources;
  }
  for (const auto& lane : lanes_) {
    try {
      lane->start();
    } catch (const std::system_error& error) {
      shared_.stop.request_stop();
      for (const auto& other : lanes_) {
        if (!other->started()) other->abandon();
      }
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("stream '{}': thread: {}, expected one more thread to be had", shared_.name, error.what()));
    }
  }
  return {};
}

std::string RunningStream::state_name(const std::string& waiting, const std::string& stale) const {
  const bool ends = shared_.running == 0 || shared_.stop.stop_requested() || shared_.running_sources == 0;
  if (!shared_.failure.empty() && ends) return fmt::format("failed: {}", shared_.failure);
  if (shared_.running == 0) return shared_.stopped_early ? "stopped" : "finished";
  if (!waiting.empty()) return fmt::format("waiting for {}", waiting);
  if (shared_.draining || shared_.running_sources == 0 || shared_.stop.stop_requested()) return "draining";
  return stale.empty() ? "running" : fmt::format("stale: {}", stale);
}

StreamState RunningStream::state() const {
  StreamState state;
  std::vector<StageCounts> rows;
  for (const auto& lane : lanes_) lane->add_rows(state.ledger, rows);
  std::string waiting;
  std::string stale;
  for (const auto& node : nodes_) {
    const auto row = std::ranges::find(rows, node->entry().name, &StageCounts::name);
    if (const SourceStage* source = node->find_source()) {
      state.items += row->emitted;
      state.missed += source->missed();
    } else if (waiting.empty()) {
      waiting = node->find_stage()->waiting_for();
    }
    if (stale.empty()) stale = row->stale;
    state.stages.push_back(std::move(*row));
  }
  state.latency_p50_ns = shared_.latency.quantile(0.50);
  state.latency_p99_ns = shared_.latency.quantile(0.99);
  const std::lock_guard lock(shared_.mutex);
  state.items_per_second = rate_.update(shared_.clock.steady_now(), state.items);
  state.last_error = shared_.last_error;
  state.state = state_name(waiting, stale);
  return state;
}

void RunningStream::drain_at(std::uint64_t items) {
  {
    const std::lock_guard lock(shared_.mutex);
    shared_.draining = true;
  }
  for (const auto& node : nodes_) {
    if (node->is_source()) node->source().drain_at(items);
  }
}

void RunningStream::stop() {
  shared_.stop.request_stop();
  const std::lock_guard lock(join_mutex_);
  for (const auto& lane : lanes_) lane->join();
}

}  // namespace

std::uint64_t StageCounts::dropped_total() const {
  std::uint64_t total = 0;
  for (const auto& [reason, count] : dropped) total += count;
  return total;
}

Result<std::unique_ptr<Stream>> Stream::start(const StreamSpec& spec, StageContext context) {
  if (context.clock == nullptr) context.clock = &system_clock();
  context.stream = spec.name;
  auto stream = std::make_unique<RunningStream>(spec.name, *context.clock);
  MORU_RETURN_IF_ERROR(stream->open(spec, std::move(context)));
  MORU_RETURN_IF_ERROR(stream->run());
  return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace moru::edge
