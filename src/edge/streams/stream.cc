// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stream.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <deque>
#include <system_error>

#include "core/log.h"
#include "core/text.h"
#include "edge/streams/lane.h"
#include "edge/streams/steady_wall.h"

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
  RunningStream(std::string name, Clock& clock) : clock_(clock), shared_(std::move(name), clock_), rate_(clock.steady_now()) {}
  ~RunningStream() override { stop(); }

  Status open(const StreamSpec& spec, StageContext context, TapeDeck tape);
  Status run();
  StreamState state() const override;
  const Histogram& latency() const override { return shared_.latency; }
  std::vector<StageHistograms> histograms() const override;
  Result<std::shared_ptr<LinkTap>> tap(std::string_view link) override;
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
  Status watch(const StreamSpec& spec);
  Result<std::shared_ptr<DeadLetters>> dead_letters_of(const std::optional<DeadLetterOptions>& options);
  /// Its items come from a recording: what it would read from is not touched.
  bool is_replayed(const StreamNode& node) const { return shared_.tape.reader && node.is_source(); }
  std::string state_name(const std::string& waiting, const std::string& overdue, const std::string& stale) const;

  SteadyWall clock_;
  StreamShared shared_;
  std::vector<std::unique_ptr<StreamNode>> nodes_;  ///< in the order of the file
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::vector<std::shared_ptr<DeadLetters>> dead_letters_;  ///< one a file
  mutable RateMeter rate_;
  std::mutex join_mutex_;
};

Status RunningStream::open(const StreamSpec& spec, StageContext context, TapeDeck tape) {
  shared_.context = std::move(context);
  shared_.context.clock = &clock_;
  shared_.tape = std::move(tape);
  shared_.context.stop = shared_.stop.get_token();
  shared_.source_context = shared_.context;
  if (shared_.tape.clock) shared_.context.clock = shared_.tape.clock.get();
  for (const auto& entry : spec.stages) nodes_.push_back(std::make_unique<StreamNode>(entry));
  connect(spec);
  for (const auto& lane : lanes_) {
    if (!lane->has_source()) MORU_RETURN_IF_ERROR_IN(fmt::format("stream '{}'", shared_.name), lane->inbox().open_spills(shared_.context));
  }
  MORU_RETURN_IF_ERROR(watch(spec));
  return create_and_open(spec);
}

/// Stages that name the same file share it.
Result<std::shared_ptr<DeadLetters>> RunningStream::dead_letters_of(const std::optional<DeadLetterOptions>& options) {
  if (!options) return std::shared_ptr<DeadLetters>();
  const auto known = std::ranges::find(dead_letters_, options->path, [](const auto& letters) { return letters->path(); });
  if (known != dead_letters_.end()) return *known;
  MORU_ASSIGN_OR_RETURN(auto letters, DeadLetters::open(*options, shared_.name, shared_.clock));
  dead_letters_.push_back(letters);
  return letters;
}

/// Nodes that nobody wants to know anything of have no watch, so that they lose no time with it.
Status RunningStream::watch(const StreamSpec& spec) {
  const auto wanted = shared_.context.resource<StreamWatch>("watch");
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto& entry = spec.stages[i];
    MORU_ASSIGN_OR_RETURN(auto letters, dead_letters_of(entry.dead_letters ? entry.dead_letters : spec.dead_letters));
    if (letters || (wanted && (wanted->times || wanted->spans)))
      nodes_[i]->set_watch(std::make_unique<StageWatch>(entry.name, wanted.get(), std::move(letters), entry.spec->holds));
    if (!wanted || !wanted->taps) continue;
    for (auto& target : nodes_[i]->targets()) target.taps = std::make_unique<LinkTaps>();
  }
  return {};
}

std::vector<StageHistograms> RunningStream::histograms() const {
  std::vector<StageHistograms> rows;
  for (const auto& node : nodes_) {
    const StageWatch* const watch = node->watch();
    if (!node->is_source() && watch != nullptr && watch->busy() != nullptr)
      rows.push_back({node->entry().name, watch->busy(), watch->age()});
  }
  return rows;
}

Result<std::shared_ptr<LinkTap>> RunningStream::tap(std::string_view link) {
  std::vector<std::string> names;
  for (const auto& node : nodes_) {
    for (const auto& target : node->targets()) {
      if (target.taps && target.name == link) return target.taps->open();
      if (target.taps) names.push_back(target.name);
    }
  }
  if (names.empty())
    return fail(ErrorCode::kUnsupported,
                fmt::format("stream '{}': found no taps, expected to be asked for them at its start", shared_.name));
  return fail(ErrorCode::kNotFound, fmt::format("stream '{}': found no link {}{}, expected one of {}", shared_.name, in_quotes(link),
                                                did_you_mean(link, names), fmt::join(names, ", ")));
}

Status RunningStream::create_node(const StreamSpec& spec, std::size_t index) {
  std::vector<Schema> inputs;
  for (const auto& link : spec.stages[index].links) inputs.push_back(nodes_[link.from]->schemas()[link.port]);
  StreamNode& node = *nodes_[index];
  MORU_RETURN_IF_ERROR(node.create(inputs));
  if (!is_replayed(node)) return node.open(node.is_source() ? shared_.source_context : shared_.context);
  node.forget_receipts();
  return {};
}

Status RunningStream::create_and_open(const StreamSpec& spec) {
  std::vector<StreamNode*> opened;
  for (const std::size_t index : spec.order) {
    StreamNode& node = *nodes_[index];
    const Status status = create_node(spec, index);
    if (status) {
      if (!is_replayed(node)) opened.push_back(&node);
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
  std::vector<std::vector<Lane::Entry>> entries(count);
  std::vector<std::vector<std::size_t>> link_of(spec.stages.size());  // of each input its place among the lane's links
  const auto link_name = [&](std::size_t index, std::size_t input) {
    return fmt::format("{}->{}", spec.stages[index].inputs[input], spec.stages[index].name);
  };
  for (const std::size_t index : spec.order) {
    const auto& entry = spec.stages[index];
    auto& into = entries[lane_of[index]];
    for (std::size_t input = 0; input < entry.links.size(); ++input) {
      link_of[index].push_back(into.size());
      if (lane_of[entry.links[input].from] == lane_of[index]) continue;
      const auto capacity = entry.links[input].queue.value_or(entry.spec->light ? kLightQueue : kQueue);
      const auto& link = entry.links[input];
      into.push_back(
          {{link_name(index, input), capacity, link.overflow, {link.spill_folder, link.spill_bytes}}, nodes_[index].get(), input});
    }
  }
  for (std::size_t i = 0; i < count; ++i) lanes_.push_back(std::make_unique<Lane>(shared_, std::move(members[i]), std::move(entries[i])));
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
                                .link = link_of[*it][input],
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

std::string RunningStream::state_name(const std::string& waiting, const std::string& overdue, const std::string& stale) const {
  const bool ends = shared_.running == 0 || shared_.stop.stop_requested() || shared_.running_sources == 0;
  if (!shared_.failure.empty() && ends) return fmt::format("failed: {}", shared_.failure);
  if (shared_.running == 0) return shared_.stopped_early ? "stopped" : "finished";
  if (!overdue.empty()) return fmt::format("overdue: {}", overdue);
  if (!waiting.empty()) return fmt::format("waiting for {}", waiting);
  if (shared_.draining || shared_.running_sources == 0 || shared_.stop.stop_requested()) return "draining";
  return stale.empty() ? "running" : fmt::format("stale: {}", stale);
}

StreamState RunningStream::state() const {
  StreamState state;
  std::vector<StageCounts> rows;
  for (const auto& lane : lanes_) lane->add_rows(state.ledger, rows);
  std::string waiting;
  std::string overdue;
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
    if (const TimeNs deadline = node->entry().deadline; overdue.empty() && deadline != 0 && row->busy_for > deadline) {
      overdue = fmt::format("{}: at one item for {:.1f} s, expected at most {:.3f} s", row->name, static_cast<double>(row->busy_for) / 1e9,
                            static_cast<double>(deadline) / 1e9);
    }
    state.stages.push_back(std::move(*row));
  }
  state.latency_p50_ns = shared_.latency.quantile(0.50);
  state.latency_p99_ns = shared_.latency.quantile(0.99);
  for (const auto& letters : dead_letters_) {
    const auto counts = letters->counts();
    state.dead_letters += counts.written;
    state.dead_letters_lost += counts.failed + counts.discarded;
  }
  const std::lock_guard lock(shared_.mutex);
  state.items_per_second = rate_.update(shared_.clock.steady_now(), state.items);
  state.last_error = shared_.last_error;
  state.state = state_name(waiting, overdue, stale);
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
  return start(spec, std::move(context), TapeDeck());
}

Result<std::unique_ptr<Stream>> Stream::start(const StreamSpec& spec, StageContext context, TapeDeck tape) {
  if (context.clock == nullptr) context.clock = &system_clock();
  context.stream = spec.name;
  auto stream = std::make_unique<RunningStream>(spec.name, *context.clock);
  const StreamSpec taped = tape.clock ? on_tape(spec, tape) : spec;
  MORU_RETURN_IF_ERROR(stream->open(taped, std::move(context), std::move(tape)));
  MORU_RETURN_IF_ERROR(stream->run());
  return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace moru::edge
