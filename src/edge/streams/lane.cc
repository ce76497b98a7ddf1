// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/lane.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <utility>

#include "core/log.h"

namespace moru::edge {
namespace {

constexpr unsigned long kTimerSlackNs = 1'000;
constexpr std::size_t kLightBatch = 256;              // elements that a light lane takes at once; what is taken is settled together
constexpr std::chrono::milliseconds kAnswerWait{50};  // between two looks at what a source that has ended may acknowledge

}  // namespace

std::vector<std::size_t> assign_lanes(const StreamSpec& spec) {
  std::vector<std::size_t> lanes(spec.stages.size());
  std::size_t count = 0;
  if (spec.lanes == LanePlan::kOne) return lanes;
  if (spec.lanes == LanePlan::kOneForStages) {
    for (std::size_t i = 0; i < lanes.size(); ++i) lanes[i] = spec.stages[i].links.empty() ? ++count : 0;
    return lanes;
  }
  for (const std::size_t index : spec.order) {
    const auto& entry = spec.stages[index];
    const auto lane_of = [&](const StreamSpec::Link& link) { return lanes[link.from]; };
    const bool joins = entry.spec->light && !entry.links.empty() && std::ranges::all_of(entry.links, [&](const auto& link) {
                         return !link.queue && lane_of(link) == lane_of(entry.links.front());
                       });
    lanes[index] = joins ? lane_of(entry.links.front()) : count++;
  }
  return lanes;
}

Lane::Lane(StreamShared& shared, std::vector<StreamNode*> nodes, std::vector<Entry> entries)
    : shared_(shared), nodes_(std::move(nodes)), entries_(std::move(entries)), source_open_(!shared.tape.reader) {
  local_.clock = shared.context.clock;
  if (!head().is_source()) {
    std::vector<Inbox::LinkOptions> links;
    for (const Entry& entry : entries_) links.push_back(entry.link);
    inbox_ = std::make_unique<Inbox>(std::move(links), mutex_);
  } else if (!shared.tape.reader) {
    local_.clock = &shared.clock;  // a source lives in the machine's time; what it emits gets its place on the tape later
  }
  for (StreamNode* node : nodes_) node->join_lane(local_);
}

void Lane::start() {
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), head().entry().name.substr(0, 15).c_str());
    // The system may wake a thread 50 us after its time, to save a wake-up; items would be late by that.
    ::prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
    run();
  });
}

void Lane::join() {
  if (thread_.joinable()) thread_.join();
}

void Lane::abandon() {
  shared_.prepared();
  for (const StreamNode* node : nodes_) node->close_targets();
  if (has_source()) {
    const std::lock_guard lock(shared_.mutex);
    --shared_.running_sources;
  }
  end();
}

void Lane::run() {
  prepare();
  if (shared_.tape.reader) {
    run_tape();
  } else {
    has_source() ? run_source() : run_stages();
  }
  flush();
  publish();
  close_stages();
  for (const StreamNode* node : nodes_) node->close_targets();
  if (has_source()) close_source();
  end();
}

void Lane::close_stages() {
  for (StreamNode* node : nodes_) {
    if (node->is_source() || node->paused()) continue;  // a paused one was closed when it was lost
    if (const auto status = node->close(); !status)
      shared_.fail_stream(fmt::format("{}: close: {}", node->entry().name, status.error().message));
  }
}

/// The stages behind it have till their own end to store its items; only then nobody can acknowledge any more.
void Lane::close_source() {
  const auto tell = [&](const Status& status, std::string_view what) {
    if (!status) shared_.note_error(fmt::format("{}: {}: {}", head().entry().name, what, status.error().message));
  };
  const auto stages_run = [&] {
    const std::lock_guard lock(shared_.mutex);
    return shared_.running_stages > 0;
  };
  if (ReceiptBook* const receipts = head().receipts(); receipts != nullptr && source_open_) {
    while (!receipts->wait(kAnswerWait) && stages_run()) tell(head().source().acknowledge(), "acknowledge");
    tell(head().source().acknowledge(), "acknowledge");
    publish();
  }
  if (source_open_) tell(head().close(), "close");
  if (head().receipts() != nullptr) head().receipts()->close();
}

/// A stage that cannot be prepared still takes its items, to drop them: nobody upstream may wait for ever.
void Lane::prepare() {
  for (StreamNode* node : nodes_) {
    if (node->is_source()) continue;
    const Status prepared = node->stage().prepare();
    if (prepared) continue;
    const bool stopped = prepared.error().code == ErrorCode::kCancelled;
    node->set_refusal(stopped ? "stopped" : "not prepared");
    if (!stopped) shared_.fail_stream(fmt::format("{}: {}", node->entry().name, prepared.error().message));
  }
  shared_.prepared();
}

/// Opens the source where it is closed, and lets it emit.
Status Lane::produce(bool& at_end) {
  if (!source_open_) MORU_RETURN_IF_ERROR(head().open(shared_.source_context));
  source_open_ = true;
  auto produced = head().source().produce(head());
  if (!produced) return fail(produced.error());
  at_end = !*produced;
  return {};
}

/// Closes the source and waits. False when it is not worth another try, or the stream is to stop.
bool Lane::pause_source(const Error& error, int failures) {
  const auto message = fmt::format("{}: {}", head().entry().name, error.message);
  if (const auto status = head().close(); !status)
    MORU_LOG(kWarn, "source not closed", "stream", shared_.name, "error", status.error().message);
  shared_.note_error(message);
  if (!may_pass(error.code)) {
    shared_.note_failure(message);
    return false;
  }
  if (failures == 1) MORU_LOG(kWarn, "source is stale", "stream", shared_.name, "error", message);
  head().set_stale(message);
  publish();
  return shared_.wait_until(shared_.clock.steady_now() + restart_pause(failures));
}

void Lane::run_source() {
  int failures = 0;
  bool at_end = false;
  bool go_on = shared_.wait_until_prepared();
  while (go_on && !at_end && !shared_.stop.stop_requested()) {
    const std::uint64_t before = head().emitted();
    const Status status = produce(at_end);
    if (status && failures > 0) {
      failures = 0;
      head().set_stale({});
    }
    if (head().emitted() > before) failures = 0;
    reopen_lost();
    advance_time();
    call_due();
    flush();
    publish();
    if (status) continue;
    go_on = pause_source(status.error(), ++failures);
    source_open_ = false;
  }
  {
    const std::lock_guard lock(shared_.mutex);
    --shared_.running_sources;
    if (!at_end) shared_.stopped_early = true;
  }
  head().on_end(0);
}

/// It has sent nothing for so long that nobody is to wait for its time.
bool Lane::source_is_idle() {
  const TimeNs idle = head().entry().idle;
  if (idle == 0) return false;
  const TimeNs now = shared_.clock.steady_now();
  if (active_at_ == 0 || head().emitted() != emitted_before_) active_at_ = now;
  emitted_before_ = head().emitted();
  return now - active_at_ >= idle;
}

void Lane::advance_time() {
  StreamNode& source = head();
  if (!source.timed) return;
  if (source_is_idle()) return source.on_watermark(0, kIdleTime);
  auto time = source.source().watermark();
  if (!time && source.emitted() > 0) time = source.latest() - source.entry().lateness;
  if (time) source.on_watermark(0, *time);
}

void Lane::run_stages() {
  const bool many = head().entry().spec->light || head().gathers();
  Inbox::Gather gather{.limit = many ? kLightBatch : head().stage().largest_batch(),
                       .clock = &shared_.clock,
                       .wait = many ? 0 : head().stage().batch_wait()};
  std::vector<Element> batch;
  if (shared_.tape.clock) shared_.tape.clock->begin();
  while (true) {
    gather.deadline = next_due();
    const auto taken = inbox_->take(batch, gather);
    if (!taken) break;
    reopen_lost();
    if (taken->ended) {
      handle_end(taken->link);
    } else {
      handle(taken->link, batch);
    }
    call_due();
    flush();
    publish();
  }
}

void Lane::handle(std::size_t link, std::vector<Element>& batch) {
  const bool alone = head().is_sink() || shared_.tape.clock != nullptr;  // a recording takes items one by one
  const std::size_t largest = alone ? 1 : head().stage().largest_batch();
  for (std::size_t i = 0; i < batch.size();) {
    StreamNode& node = *entries_[link].node;
    // It stands alone in front of its queue, so its items can wait there until it is back; the link's policy bounds them.
    while (node.paused() && shared_.wait_until(node.reopen_at())) node.try_reopen(shared_.context);
    std::size_t end = i;
    while (end < batch.size() && !batch[end].is_watermark && end - i < largest) ++end;
    if (end - i < 2) {
      handle_one(link, batch[i++]);
      settle_moment();
    } else {
      node.process_batch(entries_[link].input, std::span(batch).subspan(i, end - i));
      i = end;
    }
  }
}

void Lane::handle_one(std::size_t link, Element& element) {
  const auto& [options, node, input] = entries_[link];
  const bool recorded = record(element.is_watermark ? TapeKind::kWatermark : TapeKind::kItem, link, element.item);
  if (element.is_watermark) {
    if (recorded) node->on_watermark(input, element.item.event_time);
  } else if (recorded) {
    node->process(input, std::move(element.item));
  } else {
    node->refuse(element.item, "recording full");
  }
}

void Lane::handle_end(std::size_t link) {
  Item none;
  record(TapeKind::kEnd, link, none);
  entries_[link].node->on_end(entries_[link].input);
  settle_moment();
}

/// A recording's clock is about to be set: what sinks hold is stored in the moment in which a replay stores it.
void Lane::settle_moment() {
  if (shared_.tape.clock) flush();
}

/// What a sink cannot store stays with it until it can, or until the stream is to stop. What comes meanwhile waits in front of the lane.
void Lane::flush() {
  for (StreamNode* node : nodes_) {
    if (!node->gathers()) continue;
    node->flush();
    while (node->paused() && !node->gave_up()) {
      publish();
      if (shared_.wait_until(node->reopen_at())) {
        node->try_reopen(shared_.context);
        if (!node->paused()) node->flush();
      } else {
        node->give_up("stopped");
      }
    }
  }
}

void Lane::reopen_lost() {
  for (StreamNode* node : nodes_) {
    if (node != &head() && node->paused()) node->try_reopen(shared_.context);
  }
}

TimeNs Lane::next_due() const {
  TimeNs due = kNeverDue;
  for (const StreamNode* node : nodes_) due = std::min(due, node->due());
  return due;
}

void Lane::call_due() {
  if (next_due() == kNeverDue) return;
  const bool replays = shared_.tape.reader != nullptr;
  const TimeNs now = replays ? local_.clock->steady_now() : shared_.clock.steady_now();
  Item none;
  if (next_due() > now || !record(TapeKind::kDue, 0, none)) return;
  for (StreamNode* node : nodes_) {
    if (node->due() <= now) node->on_due();
  }
}

/// Hands on what was emitted, and makes all counts visible together.
void Lane::publish() {
  for (StreamNode* node : nodes_) node->hand_on();
  {
    const std::lock_guard lock(mutex_);
    if (inbox_) inbox_->settle();
    for (StreamNode* node : nodes_) node->publish();
  }
  local_.now = 0;
  local_.wall = 0;
  if (!local_.ended.empty()) {
    const TimeNs now = shared_.tape.reader ? local_.clock->steady_now() : shared_.clock.steady_now();
    for (const TimeNs emitted : local_.ended) shared_.latency.record(now - emitted);
    local_.ended.clear();
  }
  if (!local_.error.empty()) shared_.note_error(std::exchange(local_.error, {}));
}

void Lane::end() {
  const std::lock_guard lock(shared_.mutex);
  --shared_.running;
  if (!has_source()) --shared_.running_stages;
}

void Lane::add_rows(std::vector<wire::LinkLedger>& links, std::vector<StageCounts>& stages) const {
  const TimeNs now = shared_.clock.steady_now();
  const std::lock_guard lock(mutex_);
  if (inbox_) inbox_->add_ledger(links);
  for (const StreamNode* node : nodes_) {
    const auto& counts = node->published();
    for (std::size_t i = 0; i < node->targets().size(); ++i) {
      if (node->targets()[i].inbox != nullptr) continue;
      const std::uint64_t passed = i < counts.passed.size() ? counts.passed[i] : 0;
      wire::LinkLedger row;
      row.link = node->targets()[i].name;
      row.in = passed;
      row.out = passed;
      links.push_back(std::move(row));
    }
    auto& row = stages.emplace_back(StageCounts{.name = node->entry().name,
                                                .consumed = counts.consumed,
                                                .emitted = counts.emitted,
                                                .used = counts.used,
                                                .held = counts.held,
                                                .dropped = counts.dropped,
                                                .unsettled = node->receipts() == nullptr ? 0 : node->receipts()->unsettled(),
                                                .overdue = counts.overdue,
                                                .busy_for = node->busy_for(now),
                                                .stale = counts.stale,
                                                .holds = node->entry().spec->holds || node->is_sink()});
    std::ranges::sort(row.dropped);
  }
}

}  // namespace moru::edge
