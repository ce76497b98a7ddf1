// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stream_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "core/log.h"

namespace moru::edge {

namespace {
constexpr std::size_t kMaxReasons = 16;     // a reason names a counter: a stage that makes up new ones must not fill the memory
constexpr std::size_t kLargestBatch = 256;  // elements; then they are handed on even in the middle of a call
constexpr TimeNs kNoTime = std::numeric_limits<TimeNs>::min();

/// What may go well the next time, and what a stop has caught.
bool is_sent_again(const Status& status) {
  return !status && (may_pass(status.error().code) || status.error().code == ErrorCode::kCancelled);
}

}  // namespace

TimeNs restart_pause(int attempt) {
  constexpr TimeNs kFirst = 100 * kMillisecond;
  constexpr TimeNs kLongest = 5 * kSecond;
  return std::min(kFirst << static_cast<unsigned>(std::clamp(attempt - 1, 0, 10)), kLongest);
}

StreamNode::StreamNode(StreamSpec::StageEntry entry)
    : entry_(std::move(entry)),
      watermarks_(entry_.inputs.size(), kNoTime),
      ended_(entry_.inputs.size(), false),
      idle_(entry_.inputs.size(), false),
      watermark_(kNoTime),
      latest_(kNoTime) {}

StreamNode::~StreamNode() {
  if (receipts_) receipts_->close();  // a receipt may outlive the stream, in the hands of some client's thread
}

Status StreamNode::create(std::span<const Schema> inputs) {
  if (is_source()) {
    MORU_ASSIGN_OR_RETURN(source_, entry_.spec->create_source(entry_.options));
    MORU_ASSIGN_OR_RETURN(auto schema, source_->bind());
    schemas_ = {std::move(schema)};
    if (entry_.spec->acknowledges && source_->acknowledges()) {
      receipts_ = std::make_shared<ReceiptBook>(
          [source = source_.get()](std::uint64_t sequence, Outcome outcome) { source->settle(sequence, outcome); });
    }
  } else {
    MORU_ASSIGN_OR_RETURN(stage_, entry_.spec->create(entry_.options));
    std::vector<Schema> each(inputs.begin(), inputs.end());
    for (std::size_t i = 0; i < each.size(); ++i) each[i].from = entry_.inputs[i];
    const Schema all = common(each);
    MORU_ASSIGN_OR_RETURN(schemas_, stage_->bind(entry_.spec->tells_inputs ? std::span<const Schema>(each) : std::span(&all, 1)));
  }
  // One schema may stand for all ports.
  while (schemas_.size() < entry_.spec->outputs.size()) schemas_.push_back(schemas_.empty() ? Schema{} : schemas_.back());
  return {};
}

Result<std::vector<Schema>> bind_stage(const StreamSpec::StageEntry& entry, std::span<const Schema> inputs) {
  StreamNode node(entry);
  MORU_RETURN_IF_ERROR(node.create(inputs));
  return node.schemas();
}

Status StreamNode::open(const StageContext& context) { return is_source() ? source_->open(context) : stage_->open(context); }
Status StreamNode::close() { return is_source() ? source_->close() : stage_->close(); }

void StreamNode::process(std::size_t input, Item&& item) {
  if (!refusal_.empty()) return refuse(item, refusal_);
  if (reopen_at_ != 0) return refuse(item, "stale");
  ++local_.consumed;
  current_ = item.receipt;
  const TimeNs emitted_at = item.emitted;
  const std::uint64_t dropped_before = dropped_;
  if (watch_) watch_->begin(item, *lane_->clock, lane_->steady_now(), lane_->nested);
  begin_call();
  const Status status = stage_->process_from(input, std::move(item), *this);
  end_call();
  if (is_sent_again(status)) current_.revoke();
  current_.reset();
  if (status && is_sink()) {
    lane_->ended.push_back(emitted_at);
    // What a sink took and did not drop is done, where it does not count for itself.
    if (!entry_.spec->holds && dropped_ == dropped_before) ++local_.used;
  }
  note_result(status);
  if (watch_) watch_->end(status, *lane_->clock, lane_->nested);
}

void StreamNode::process_batch(std::size_t input, std::span<Element> elements) {
  const bool looked_at = watch_ && watch_->sees_each();
  if (!refusal_.empty() || reopen_at_ != 0 || looked_at) {
    for (Element& element : elements) process(input, std::move(element.item));
    return;
  }
  local_.consumed += elements.size();
  if (watch_) watch_->begin(elements.front().item, *lane_->clock, lane_->steady_now(), lane_->nested);
  batch_.clear();
  batch_receipts_.clear();
  for (Element& element : elements) {
    batch_receipts_.push_back(element.item.receipt);
    batch_.push_back(std::move(element.item));
  }
  results_.assign(elements.size(), {});
  begin_call();
  stage_->process_batch(input, batch_, *this, results_);
  end_call();
  batch_.clear();
  for (std::size_t i = 0; i < results_.size(); ++i) {
    if (is_sent_again(results_[i])) batch_receipts_[i].revoke();
    note_result(results_[i]);
  }
  batch_receipts_.clear();
  if (watch_) watch_->end({}, *lane_->clock, lane_->nested);
}

void StreamNode::note_result(const Status& status) {
  if (status) {
    if (!gathers()) recovered();
    return;
  }
  const bool stopped = status.error().code == ErrorCode::kCancelled;
  drop(stopped ? std::string("stopped") : fmt::format("error: {}", to_string(status.error().code)));
  if (stopped) return;
  lane_->error = fmt::format("{}: {}", entry_.name, status.error().message);
  if (reopen_at_ == 0 && stage_->lost()) lose();
}

// The time of a call is the stage's own, without that of the stages and queues that it hands items to.

void StreamNode::begin_call() {
  spent_ = 0;
  go_on();
}

void StreamNode::go_on() {
  if (entry_.deadline != 0) busy_since_ = lane_->clock->steady_now() - spent_;
}

void StreamNode::leave() {
  if (entry_.deadline != 0) spent_ = lane_->clock->steady_now() - busy_since_.exchange(0);
}

void StreamNode::end_call() {
  leave();
  if (spent_ <= entry_.deadline) return;
  if (++local_.overdue > 1) return;  // told once; then it is counted
  lane_->error = fmt::format("{}: found {:.1f} ms for one call, expected at most the deadline_ms of {:.1f}", entry_.name,
                             static_cast<double>(spent_) / 1e6, static_cast<double>(entry_.deadline) / 1e6);
  MORU_LOG(kWarn, "stage over its deadline", "stage", entry_.name, "error", lane_->error);
}

TimeNs StreamNode::busy_for(TimeNs now) const {
  const TimeNs since = busy_since_;
  return since == 0 ? 0 : now - since;
}

void StreamNode::on_due() {
  begin_call();
  stage_->on_due(*this);
  end_call();
}

void StreamNode::recovered() {
  if (losses_ == 0) return;
  losses_ = 0;
  local_.stale.clear();
}

void StreamNode::flush() {
  if (!refusal_.empty()) return;
  begin_call();
  const Status status = stage_->flush(*this);
  end_call();
  if (status) return recovered();
  lane_->error = fmt::format("{}: {}", entry_.name, status.error().message);
  lose();
}

void StreamNode::give_up(std::string_view reason) {
  for (std::uint64_t left = stage_->held(); left > 0; --left) drop(reason);
  gave_up_ = true;
  set_refusal(reason);
}

void StreamNode::lose() {
  if (const auto status = stage_->close(); !status) lane_->error = fmt::format("{}: close: {}", entry_.name, status.error().message);
  ++losses_;
  local_.stale = lane_->error;
  reopen_at_ = lane_->clock->steady_now() + restart_pause(losses_);
}

void StreamNode::try_reopen(const StageContext& context) {
  if (reopen_at_ == 0 || lane_->clock->steady_now() < reopen_at_) return;
  if (const auto status = stage_->open(context); !status) {
    lane_->error = fmt::format("{}: {}", entry_.name, status.error().message);
    ++losses_;
    local_.stale = lane_->error;
    reopen_at_ = lane_->clock->steady_now() + restart_pause(losses_);
    return;
  }
  reopen_at_ = 0;
}

void StreamNode::refuse(const Item& item, std::string_view reason) {
  ++local_.consumed;
  item.receipt.revoke();
  drop(reason);
}

void StreamNode::emit_to(std::size_t port, Item&& item) {
  if (item.emitted == 0) item.emitted = lane_->steady_now();
  if (!item.receipt) item.receipt = receipts_ ? receipts_->issue(item.sequence) : current_;
  // One such item would make all that come after it late.
  if (entry_.max_ahead != 0 && item.event_time > lane_->wall_now() + entry_.max_ahead) {
    const Item ahead = std::move(item);
    return reject("time ahead", ahead);
  }
  latest_ = std::max(latest_, item.event_time);
  if (watch_ && (is_source() || entry_.spec->holds)) watch_->on_new_item(item, *lane_->clock);
  // The last reader gets the item itself, those before it a copy.
  Target* last = nullptr;
  for (Target& target : targets_) {
    if (target.port != port) continue;
    if (last != nullptr) deliver(*last, Item(item));
    last = &target;
  }
  if (last == nullptr) return drop("not read");
  ++local_.emitted;
  deliver(*last, std::move(item));
}

bool StreamNode::is_read(std::size_t port) const { return std::ranges::find(targets_, port, &Target::port) != targets_.end(); }

void StreamNode::deliver(Target& target, Item&& item) {
  if (target.taps) target.taps->offer(item);
  const bool busy = entry_.deadline != 0 && busy_since_ != 0;
  if (busy) leave();
  if (target.inbox == nullptr) {
    ++target.passed;
    target.node->process(target.input, std::move(item));
  } else {
    target.batch.emplace_back(std::move(item), false);
    if (target.batch.size() >= kLargestBatch) target.inbox->push(target.link, target.batch);
  }
  if (busy) go_on();
}

void StreamNode::reject(std::string_view reason, const Item& item) {
  drop(reason);
  if (watch_) watch_->reject(reason, item);
}

void StreamNode::reject(std::string_view reason, std::string_view raw) {
  drop(reason);
  if (watch_) watch_->reject(reason, raw);
}

void StreamNode::drop(std::string_view reason) {
  ++dropped_;
  if (watch_) watch_->on_drop(reason);
  for (auto& [known, count] : local_.dropped) {
    if (known != reason) continue;
    ++count;
    return;
  }
  if (local_.dropped.size() < kMaxReasons) {
    local_.dropped.emplace_back(reason, 1);
  } else if (local_.dropped.size() == kMaxReasons) {
    local_.dropped.emplace_back("other", 1);
  } else {
    ++local_.dropped.back().second;
  }
}

void StreamNode::on_watermark(std::size_t input, TimeNs time) {
  if (!is_source()) {
    idle_[input] = time == kIdleTime;
    if (!idle_[input]) watermarks_[input] = std::max(watermarks_[input], time);
    time = kIdleTime;
    for (std::size_t i = 0; i < watermarks_.size(); ++i) {
      if (!ended_[i] && !idle_[i]) time = std::min(time, watermarks_[i]);
    }
  }
  if (time == kIdleTime) {
    if (!std::exchange(idle_told_, true)) pass_watermark(time);
    return;
  }
  const bool is_back = std::exchange(idle_told_, false);
  if (time > watermark_) {
    watermark_ = time;
    if (stage_ && entry_.spec->timed) stage_->watermark(time, *this);
  } else if (!is_back) {
    return;
  }
  pass_watermark(watermark_);
}

void StreamNode::pass_watermark(TimeNs time) {
  for (Target& target : targets_) {
    if (!target.node->timed) continue;
    if (target.inbox == nullptr) {
      target.node->on_watermark(target.input, time);
    } else {
      target.batch.emplace_back(Item{}, true);
      target.batch.back().item.event_time = time;
    }
  }
}

void StreamNode::on_end(std::size_t input) {
  if (!is_source()) {
    ended_[input] = true;
    if (std::ranges::find(ended_, false) != ended_.end()) {
      on_watermark(input, kNoTime);  // the other inputs alone say now how far time has come
      return;
    }
    if (refusal_.empty() && reopen_at_ == 0) stage_->finish(*this);
  }
  for (Target& target : targets_) {
    if (target.inbox == nullptr) target.node->on_end(target.input);
  }
}

void StreamNode::hand_on() {
  for (Target& target : targets_) {
    if (!target.batch.empty()) target.inbox->push(target.link, target.batch);
  }
}

void StreamNode::close_targets() const {
  for (const Target& target : targets_) {
    if (target.inbox != nullptr) target.inbox->close(target.link);
  }
}

void StreamNode::publish() {
  local_.held = stage_ && !gave_up_ ? stage_->held() : 0;
  published_.consumed = local_.consumed;
  published_.emitted = local_.emitted;
  published_.used = local_.used;
  published_.held = local_.held;
  published_.overdue = local_.overdue;
  published_.dropped.resize(local_.dropped.size());
  for (std::size_t i = 0; i < local_.dropped.size(); ++i) {
    auto& [reason, count] = published_.dropped[i];
    if (reason.empty()) reason = local_.dropped[i].first;
    count = local_.dropped[i].second;
  }
  published_.passed.resize(targets_.size());
  for (std::size_t i = 0; i < targets_.size(); ++i) published_.passed[i] = targets_[i].passed;
  if (published_.stale != local_.stale) published_.stale = local_.stale;
}

}  // namespace moru::edge
