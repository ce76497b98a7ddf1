// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stream_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace moru::edge {

namespace {
constexpr std::size_t kMaxReasons = 16;     // a reason names a counter: a stage that makes up new ones must not fill the memory
constexpr std::size_t kLargestBatch = 256;  // elements; then they are handed on even in the middle of a call
constexpr TimeNs kNoTime = std::numeric_limits<TimeNs>::min();
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
      watermark_(kNoTime),
      latest_(kNoTime) {}

Status StreamNode::create(std::span<const Schema> inputs) {
  if (is_source()) {
    MORU_ASSIGN_OR_RETURN(source_, entry_.spec->create_source(entry_.options));
    MORU_ASSIGN_OR_RETURN(auto schema, source_->bind());
    schemas_ = {std::move(schema)};
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
  if (!refusal_.empty()) return refuse(refusal_);
  if (reopen_at_ != 0) return refuse("stale");
  ++local_.consumed;
  const TimeNs emitted_at = item.emitted;
  const std::uint64_t dropped_before = dropped_;
  const Status status = stage_->process_from(input, std::move(item), *this);
  if (status && is_sink()) {
    lane_->ended.push_back(emitted_at);
    // What a sink took and did not drop is done, where it does not count for itself.
    if (!entry_.spec->holds && dropped_ == dropped_before) ++local_.used;
  }
  note_result(status);
}

void StreamNode::process_batch(std::size_t input, std::span<Element> elements) {
  if (!refusal_.empty() || reopen_at_ != 0) {
    for (std::size_t i = 0; i < elements.size(); ++i) refuse(refusal_.empty() ? "stale" : refusal_);
    return;
  }
  local_.consumed += elements.size();
  batch_.clear();
  for (Element& element : elements) batch_.push_back(std::move(element.item));
  results_.assign(elements.size(), {});
  stage_->process_batch(input, batch_, *this, results_);
  for (const Status& status : results_) note_result(status);
}

void StreamNode::note_result(const Status& status) {
  if (status) {
    if (losses_ != 0) {
      losses_ = 0;
      local_.stale.clear();
    }
    return;
  }
  const bool stopped = status.error().code == ErrorCode::kCancelled;
  drop(stopped ? std::string("stopped") : fmt::format("error: {}", to_string(status.error().code)));
  if (stopped) return;
  lane_->error = fmt::format("{}: {}", entry_.name, status.error().message);
  if (reopen_at_ == 0 && stage_->lost()) lose();
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

void StreamNode::refuse(std::string_view reason) {
  ++local_.consumed;
  drop(reason);
}

void StreamNode::emit_to(std::size_t port, Item&& item) {
  if (item.emitted == 0) item.emitted = lane_->steady_now();
  latest_ = std::max(latest_, item.event_time);
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
  if (target.inbox == nullptr) {
    ++target.passed;
    target.node->process(target.input, std::move(item));
    return;
  }
  target.batch.emplace_back(std::move(item), false);
  if (target.batch.size() >= kLargestBatch) target.inbox->push(target.link, target.batch);
}

void StreamNode::drop(std::string_view reason) {
  ++dropped_;
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
    watermarks_[input] = std::max(watermarks_[input], time);
    time = std::numeric_limits<TimeNs>::max();
    for (std::size_t i = 0; i < watermarks_.size(); ++i) {
      if (!ended_[i]) time = std::min(time, watermarks_[i]);
    }
  }
  if (time <= watermark_ || time == std::numeric_limits<TimeNs>::max()) return;
  watermark_ = time;
  if (stage_ && entry_.spec->timed) stage_->watermark(time, *this);
  pass_watermark(time);
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
  local_.held = stage_ ? stage_->held() : 0;
  published_.consumed = local_.consumed;
  published_.emitted = local_.emitted;
  published_.used = local_.used;
  published_.held = local_.held;
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
