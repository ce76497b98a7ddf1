// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/can_source.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>

#include "edge/streams/can_socket.h"

namespace moru::edge {
namespace {

class CanSource final : public SourceStage {
 public:
  CanSource(CanOptions options, std::function<Result<Descriptor>()> open_socket)
      : options_(std::move(options)), open_socket_(std::move(open_socket)) {
    end_ = options_.items == 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(options_.items);
  }

  Result<Schema> bind() override {
    Schema schema;
    schema.set({.name = name_, .type = FieldType::kText});
    for (const auto& message : options_.messages) {
      for (const auto& signal : message.signals) schema.set(signal.spec);
    }
    return schema;
  }

  /// The socket is made by the first produce(): an interface that is down must not keep the stream from its start.
  Status open(const StageContext& context) override {
    clock_ = context.clock;
    return {};
  }

  Result<bool> produce(Output& output) override {
    constexpr int kLongestWaitMs = 50;
    constexpr int kFramesACall = 256;  // so that a stop is seen
    if (emitted_ >= end_) return false;
    if (!socket_) {
      MORU_ASSIGN_OR_RETURN(socket_, open_socket_());
      lost_of_socket_ = 0;
    }
    pollfd wait{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    ::poll(&wait, 1, kLongestWaitMs);
    for (int i = 0; i < kFramesACall && emitted_ < end_; ++i) {
      std::array<std::uint8_t, kMaxCanFrame> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): read_can fills it
      MORU_ASSIGN_OR_RETURN(const auto read, read_can(socket_, buffer));
      if (read.size == 0) break;
      if (read.lost) missed_ += *read.lost - std::exchange(lost_of_socket_, *read.lost);
      take(std::span<const std::uint8_t>(buffer).first(read.size), read.time ? *read.time : clock_->wall_now(), output);
    }
    return emitted_ < end_;
  }

  Status close() override {
    socket_.reset();
    return {};
  }
  void drain_at(std::uint64_t items) override { end_ = std::min(end_.load(), items); }
  std::uint64_t missed() const override { return missed_; }

 private:
  void take(std::span<const std::uint8_t> bytes, TimeNs time, Output& output) {
    CanMessage message;
    if (const auto reason = parse_can(bytes, message); !reason.empty()) return output.drop(reason);
    const auto known = std::ranges::find(options_.messages, message.id, &CanOptions::Message::id);
    if (known == options_.messages.end()) return output.drop("unknown id");
    Item item;
    item.event_time = time;
    item.set(name_, known->name);
    if (const auto reason = decode_signals(known->signals, message.data, item); !reason.empty()) return output.drop(reason);
    item.sequence = ++emitted_;
    output.emit(std::move(item));
  }

  const CanOptions options_;
  const std::function<Result<Descriptor>()> open_socket_;
  const FieldName name_{"message"};
  Clock* clock_ = nullptr;
  Descriptor socket_;
  std::uint32_t lost_of_socket_ = 0;
  std::uint64_t emitted_ = 0;
  std::atomic<std::uint64_t> missed_ = 0;
  std::atomic<std::uint64_t> end_;
};

}  // namespace

std::unique_ptr<SourceStage> make_can_source(CanOptions options, std::function<Result<Descriptor>()> open) {
  return std::make_unique<CanSource>(std::move(options), std::move(open));
}

}  // namespace moru::edge
