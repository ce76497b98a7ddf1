// SPDX-License-Identifier: Apache-2.0
// What a lane has to do with a recording.
#include <utility>

#include "edge/streams/lane.h"

namespace moru::edge {
namespace {

/// A source's output as a recording plays it: the source's node counts what it emits, the relay behind it is told of time.
class TapePort {
 public:
  TapePort() = default;
  TapePort(StreamNode& source, std::size_t port, StreamNode& relay) : source_(&source), port_(port), relay_(&relay) {}
  void play(TapeElement&& element, TimeNs shift) {
    if (source_ == nullptr) return;  // the stream of today does not have it
    switch (element.kind) {
      case TapeKind::kItem:
        element.item.emitted += shift;
        source_->emit_to(port_, std::move(element.item));
        break;
      case TapeKind::kWatermark: relay_->on_watermark(0, element.item.event_time); break;
      default: end();
    }
  }
  void end() {
    if (std::exchange(ended_, true) || source_ == nullptr) return;
    relay_->on_end(0);
  }

 private:
  StreamNode* source_ = nullptr;
  std::size_t port_ = 0;
  StreamNode* relay_ = nullptr;
  bool ended_ = false;
};

/// One for each source of the recording, in its order.
std::vector<TapePort> ports_on_tape(const TapeDeck& tape, const std::vector<StreamNode*>& nodes) {
  std::vector<TapePort> ports;
  for (const auto& name : tape.reader->head().sources) {
    auto& port = ports.emplace_back();
    for (StreamNode* node : nodes) {
      if (!node->is_source()) continue;
      for (const auto& target : node->targets()) {
        if (tape_name(node->entry(), target.port) == name) port = TapePort(*node, target.port, *target.node);
      }
    }
  }
  return ports;
}

}  // namespace

/// Where the stream is recorded: puts what the stages are about to see on the tape, and shows them its time. False when it does not fit:
/// then they must not see it, for a replay would not show it.
bool Lane::record(TapeKind kind, std::size_t source, Item& item) {
  if (!shared_.tape.writer) return true;
  if (tape_full_) return false;
  TapeElement element{.kind = kind,
                      .source = static_cast<std::uint32_t>(source),
                      .wall = shared_.clock.wall_now(),
                      .steady = shared_.clock.steady_now(),
                      .item = std::move(item)};
  const Status written = shared_.tape.writer->write(element);
  item = std::move(element.item);
  if (!written) {
    tape_full_ = true;
    shared_.fail_stream(written.error().message);
    return false;
  }
  shared_.tape.clock->set(element.wall, element.steady);
  local_.now = 0;
  return true;
}

/// The recording in place of the sources: what they emitted, at the pace that was asked for.
void Lane::run_tape() {
  const TapeDeck& tape = shared_.tape;
  std::vector<TapePort> ports = ports_on_tape(tape, nodes_);
  bool at_end = false;
  bool go_on = shared_.wait_until_prepared();
  const TimeNs started = shared_.clock.steady_now();
  tape.clock->begin();
  while (go_on && !at_end) {
    auto element = tape.reader->next();
    if (!element) {
      shared_.note_failure(element.error().message);
      break;
    }
    at_end = !*element;
    if (at_end) break;
    go_on = tape.speed > 0.0 ? shared_.wait_until(started + tape.due(**element)) : !shared_.stop.stop_requested();
    if (!go_on) break;
    tape.clock->set((*element)->wall, (*element)->steady + tape.shift);
    local_.now = 0;
    if ((*element)->kind == TapeKind::kDue) {
      call_due();
    } else {
      ports[(*element)->source].play(std::move(**element), tape.shift);
    }
    flush();
    publish();
  }
  {
    const std::lock_guard lock(shared_.mutex);
    --shared_.running_sources;
    if (!at_end) shared_.stopped_early = true;
  }
  for (TapePort& port : ports) port.end();
}

}  // namespace moru::edge
