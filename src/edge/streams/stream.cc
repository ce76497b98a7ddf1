// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stream.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <stop_token>
#include <system_error>

#include "core/histogram.h"
#include "core/log.h"
#include "edge/streams/inbox.h"
#include "edge/streams/stream_node.h"

namespace moru::edge {
namespace {

constexpr TimeNs kFirstPause = 100 * kMillisecond;  // before a failed source is opened again; doubles each time
constexpr TimeNs kLongestPause = 5 * kSecond;
constexpr int kMaxFailures = 6;  // in a row, without an item between them
constexpr TimeNs kRateWindow = 5 * kSecond;
constexpr TimeNs kRateStep = 200 * kMillisecond;

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
  RunningStream(std::string name, Clock& clock) : name_(std::move(name)), clock_(clock), rate_(clock.steady_now()) {}
  ~RunningStream() override { stop(); }

  Status open(StreamSpec spec, StageContext context);
  Status run();
  StreamState state() const override;
  void drain_at(std::uint64_t items) override;
  void stop() override;
  bool finished() const override {
    const std::lock_guard lock(mutex_);
    return running_ == 0;
  }

 private:
  void connect();
  void run_source(StreamNode& node);
  void run_stage(StreamNode& node);
  bool wait_until_prepared();
  bool pause_before_restart(StreamNode& node, int failures);
  void end(StreamNode& node);
  void note_error(const std::string& message);
  void fail_stream(const std::string& message);

  const std::string name_;
  Clock& clock_;
  Histogram latency_;
  StageContext context_;
  std::stop_source stop_;
  std::vector<std::unique_ptr<StreamNode>> nodes_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t running_ = 0;  // threads
  std::size_t running_sources_ = 0;
  std::size_t unprepared_ = 0;
  bool draining_ = false;
  bool stopped_early_ = false;
  std::string failure_;
  std::string last_error_;
  mutable RateMeter rate_;
  std::mutex join_mutex_;
};

Status RunningStream::open(StreamSpec spec, StageContext context) {
  context_ = std::move(context);
  context_.stop = stop_.get_token();
  for (auto& entry : spec.stages) nodes_.push_back(std::make_unique<StreamNode>(std::move(entry), clock_, latency_));
  connect();
  std::vector<StreamNode*> opened;
  for (const auto& node : nodes_) {
    Status status = node->create();
    if (status) status = node->open(context_);
    if (status) {
      opened.push_back(node.get());
      continue;
    }
    for (StreamNode* other : opened) {
      if (const auto closed = other->close(); !closed)
        MORU_LOG(kWarn, "stage not closed", "stage", other->entry().name, "error", closed.error().message);
    }
    return fail(status.error().in(fmt::format("stream '{}': stage '{}'", name_, node->entry().name)));
  }
  return {};
}

void RunningStream::connect() {
  for (const auto& node : nodes_) {
    if (node->is_source()) continue;
    const auto& entry = node->entry();
    std::vector<std::string> links;
    for (const auto& input : entry.inputs) links.push_back(fmt::format("{}->{}", input, entry.name));
    node->inbox = std::make_unique<Inbox>(std::move(links), static_cast<std::size_t>(entry.queue), entry.overflow);
    for (std::size_t link = 0; link < entry.inputs.size(); ++link) {
      const auto from = std::ranges::find_if(nodes_, [&](const auto& other) { return other->entry().name == entry.inputs[link]; });
      (*from)->targets.push_back({node->inbox.get(), link});
    }
  }
}

Status RunningStream::run() {
  {
    const std::lock_guard lock(mutex_);
    running_ = nodes_.size();
    for (const auto& node : nodes_) ++(node->is_source() ? running_sources_ : unprepared_);
  }
  for (const auto& node : nodes_) {
    try {
      node->thread = std::thread([this, one = node.get()] {
        ::pthread_setname_np(::pthread_self(), one->entry().name.substr(0, 15).c_str());
        one->is_source() ? run_source(*one) : run_stage(*one);
      });
    } catch (const std::system_error& error) {
      // Stands in for every thread that never came to be, so that the others see the end.
      stop_.request_stop();
      for (const auto& other : nodes_) {
        if (!other->thread.joinable()) end(*other);
      }
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("stream '{}': thread: {}, expected one more thread to be had", name_, error.what()));
    }
  }
  return {};
}

/// False when the stream is to stop instead.
bool RunningStream::wait_until_prepared() {
  const std::stop_callback wake(stop_.get_token(), [this] {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return unprepared_ == 0 || stop_.stop_requested(); });
  return !stop_.stop_requested();
}

/// False when the stream is to stop instead.
bool RunningStream::pause_before_restart(StreamNode& node, int failures) {
  if (const auto status = node.close(); !status) note_error(fmt::format("{}: close: {}", node.entry().name, status.error().message));
  const TimeNs deadline = clock_.steady_now() + std::min(kFirstPause << static_cast<unsigned>(failures - 1), kLongestPause);
  const std::stop_callback wake(stop_.get_token(), [this] {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  });
  std::unique_lock lock(mutex_);
  while (!stop_.stop_requested() && clock_.steady_now() < deadline) clock_.wait_until(lock, changed_, deadline);
  return !stop_.stop_requested();
}

void RunningStream::run_source(StreamNode& node) {
  int failures = 0;
  bool open = true;
  bool at_end = false;
  bool go_on = wait_until_prepared();
  while (go_on && !at_end && !stop_.stop_requested()) {
    const std::uint64_t before = node.emitted();
    Status status;
    if (!open) status = node.source().open(context_);
    if (status) {
      open = true;
      auto produced = node.source().produce(node);
      if (node.emitted() > before) failures = 0;
      if (produced) {
        at_end = !*produced;
        continue;
      }
      status = fail(produced.error());
    }
    note_error(fmt::format("{}: {}", node.entry().name, status.error().message));
    ++failures;
    if (failures >= kMaxFailures) {
      fail_stream(fmt::format("{}: {}, {} times in a row", node.entry().name, status.error().message, failures));
      break;
    }
    go_on = pause_before_restart(node, failures);
    open = false;
  }
  if (!at_end) {
    const std::lock_guard lock(mutex_);
    stopped_early_ = true;
  }
  if (open) {
    if (const auto status = node.close(); !status) note_error(fmt::format("{}: close: {}", node.entry().name, status.error().message));
  }
  end(node);
}

void RunningStream::run_stage(StreamNode& node) {
  const Status prepared = node.stage().prepare();
  if (!prepared && prepared.error().code != ErrorCode::kCancelled)
    fail_stream(fmt::format("{}: {}", node.entry().name, prepared.error().message));
  {
    const std::lock_guard lock(mutex_);
    --unprepared_;
    changed_.notify_all();
  }
  // Goes on taking even when it could not be prepared: nobody upstream may wait for ever.
  while (auto item = node.inbox->take()) {
    if (!prepared) {
      node.refuse(prepared.error().code == ErrorCode::kCancelled ? "stopped" : "not prepared");
      continue;
    }
    if (const auto message = node.process(std::move(*item)); !message.empty()) note_error(message);
  }
  if (const auto status = node.close(); !status) fail_stream(fmt::format("{}: close: {}", node.entry().name, status.error().message));
  end(node);
}

void RunningStream::end(StreamNode& node) {
  node.close_targets();
  const std::lock_guard lock(mutex_);
  --running_;
  if (node.is_source()) --running_sources_;
}

void RunningStream::note_error(const std::string& message) {
  const std::lock_guard lock(mutex_);
  last_error_ = message;
}

void RunningStream::fail_stream(const std::string& message) {
  {
    const std::lock_guard lock(mutex_);
    last_error_ = message;
    if (failure_.empty()) failure_ = message;
  }
  MORU_LOG(kError, "stream failed", "stream", name_, "error", message);
  stop_.request_stop();
}

StreamState RunningStream::state() const {
  StreamState state;
  std::string waiting;
  for (const auto& node : nodes_) {
    if (const SourceStage* source = node->find_source()) {
      state.items += node->emitted();
      state.missed += source->missed();
    } else {
      if (waiting.empty()) waiting = node->find_stage()->waiting_for();
      for (auto& row : node->inbox->ledger()) state.ledger.push_back(std::move(row));
    }
    state.stages.push_back(node->counts());
  }
  state.latency_p50_ns = latency_.quantile(0.50);
  state.latency_p99_ns = latency_.quantile(0.99);
  const std::lock_guard lock(mutex_);
  state.items_per_second = rate_.update(clock_.steady_now(), state.items);
  state.last_error = last_error_;
  if (!failure_.empty()) {
    state.state = fmt::format("failed: {}", failure_);
  } else if (running_ == 0) {
    state.state = stopped_early_ ? "stopped" : "finished";
  } else if (!waiting.empty()) {
    state.state = fmt::format("waiting for {}", waiting);
  } else {
    state.state = draining_ || running_sources_ == 0 || stop_.stop_requested() ? "draining" : "running";
  }
  return state;
}

void RunningStream::drain_at(std::uint64_t items) {
  {
    const std::lock_guard lock(mutex_);
    draining_ = true;
  }
  for (const auto& node : nodes_) {
    if (node->is_source()) node->source().drain_at(items);
  }
}

void RunningStream::stop() {
  stop_.request_stop();
  const std::lock_guard lock(join_mutex_);
  for (const auto& node : nodes_) {
    if (node->thread.joinable()) node->thread.join();
  }
}

}  // namespace

Result<std::unique_ptr<Stream>> Stream::start(StreamSpec spec, StageContext context) {
  if (context.clock == nullptr) context.clock = &system_clock();
  context.stream = spec.name;
  auto stream = std::make_unique<RunningStream>(spec.name, *context.clock);
  MORU_RETURN_IF_ERROR(stream->open(std::move(spec), std::move(context)));
  MORU_RETURN_IF_ERROR(stream->run());
  return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace moru::edge
