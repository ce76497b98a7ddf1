// SPDX-License-Identifier: Apache-2.0
// Any bytes as a frame of a CAN bus: a reason, or a message whose signals are decoded within its data.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/check.h"
#include "edge/streams/can_frame.h"
#include "edge/streams/signals.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kSignals = *moru::edge::read_signals(*moru::ConfigObject::parse(R"(
    mode: {start: 0, length: 3, multiplexer: true}
    a: {start: 3, length: 13, signed: true, when: 1}
    b: {start: 23, length: 64, order: big, when: 2}
    c: {start: 440, length: 64, scale: 0.5, when: 3}
    d: {start: 7, length: 33, order: big, signed: true, offset: 1})",
                                                                                    "fuzz"),
                                                         64);
  // A copy of the very size: a read behind it is seen.
  const std::vector<std::uint8_t> bytes(data, data + size);
  moru::edge::CanMessage message;
  if (!moru::edge::parse_can(bytes, message).empty()) return 0;
  MORU_CHECK(message.data.size() <= 64 && message.id.id <= 0x1FFFFFFF);
  moru::edge::Item item;
  const auto reason = moru::edge::decode_signals(kSignals, message.data, item);
  MORU_CHECK(reason.empty() ? item.fields.size() >= 2 : message.data.size() < 64);
  return 0;
}
