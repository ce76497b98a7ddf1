// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stream_node.h"

#include <fmt/format.h>

namespace moru::edge {

namespace {
constexpr std::size_t kMaxReasons = 16;  // a reason names a counter: a stage that makes up new ones must not fill the memory
}

Status StreamNode::create() {
  if (is_source()) {
    MORU_ASSIGN_OR_RETURN(source_, entry_.spec->create_source(entry_.options));
  } else {
    MORU_ASSIGN_OR_RETURN(stage_, entry_.spec->create(entry_.options));
  }
  return {};
}

Status StreamNode::open(const StageContext& context) { return is_source() ? source_->open(context) : stage_->open(context); }
Status StreamNode::close() { return is_source() ? source_->close() : stage_->close(); }

std::string StreamNode::process(Item item) {
  {
    const std::lock_guard lock(mutex_);
    ++consumed_;
  }
  const TimeNs emitted_at = item.emitted;
  const Status status = stage_->process(std::move(item), *this);
  if (!status) {
    const bool stopped = status.error().code == ErrorCode::kCancelled;
    drop(stopped ? std::string("stopped") : fmt::format("error: {}", to_string(status.error().code)));
    return stopped ? std::string() : fmt::format("{}: {}", entry_.name, status.error().message);
  }
  if (entry_.spec->kind == StageKind::kSink) latency_.record(clock_.steady_now() - emitted_at);
  return {};
}

void StreamNode::refuse(std::string_view reason) {
  {
    const std::lock_guard lock(mutex_);
    ++consumed_;
  }
  drop(reason);
}

void StreamNode::emit(Item item) {
  if (item.emitted == 0) item.emitted = clock_.steady_now();
  for (std::size_t i = 0; i + 1 < targets.size(); ++i) targets[i].inbox->push(targets[i].link, item);
  if (!targets.empty()) targets.back().inbox->push(targets.back().link, std::move(item));
  const std::lock_guard lock(mutex_);
  ++emitted_;
}

void StreamNode::drop(std::string_view reason) {
  const std::lock_guard lock(mutex_);
  auto it = dropped_.find(reason);
  if (it == dropped_.end()) it = dropped_.try_emplace(dropped_.size() < kMaxReasons ? std::string(reason) : std::string("other")).first;
  ++it->second;
}

void StreamNode::close_targets() {
  for (const Target& target : targets) target.inbox->close(target.link);
}

StageCounts StreamNode::counts() const {
  const std::lock_guard lock(mutex_);
  return {.name = entry_.name, .consumed = consumed_, .emitted = emitted_, .dropped = {dropped_.begin(), dropped_.end()}};
}

std::uint64_t StreamNode::emitted() const {
  const std::lock_guard lock(mutex_);
  return emitted_;
}

}  // namespace moru::edge
