// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/can_frame.h"

#include <linux/can.h>
#include <linux/can/error.h>

#include <array>
#include <cstring>
#include <utility>

namespace moru::edge {
namespace {

static_assert(kMaxCanFrame == CANFD_MTU);

/// The gravest thing that an error frame tells.
std::string_view error_words(canid_t id) {
  constexpr std::array<std::pair<canid_t, std::string_view>, 8> kWords = {{{CAN_ERR_BUSOFF, "bus off"},
                                                                           {CAN_ERR_RESTARTED, "controller restarted"},
                                                                           {CAN_ERR_CRTL, "controller problem"},
                                                                           {CAN_ERR_TRX, "transceiver problem"},
                                                                           {CAN_ERR_ACK, "no acknowledgement"},
                                                                           {CAN_ERR_PROT, "protocol violation"},
                                                                           {CAN_ERR_LOSTARB, "lost arbitration"},
                                                                           {CAN_ERR_BUSERROR, "bus error"}}};
  for (const auto& [flag, words] : kWords) {
    if ((id & flag) != 0) return words;
  }
  return "unknown error frame";
}

}  // namespace

std::string_view parse_can(std::span<const std::uint8_t> bytes, CanMessage& message) {
  if (bytes.size() != CAN_MTU && bytes.size() != CANFD_MTU) return "bad frame";
  canid_t id = 0;
  std::memcpy(&id, bytes.data() + offsetof(canfd_frame, can_id), sizeof(id));
  const std::size_t length = bytes[offsetof(canfd_frame, len)];  // the same place in both
  if (length > (bytes.size() == CAN_MTU ? CAN_MAX_DLEN : CANFD_MAX_DLEN)) return "bad frame";
  if ((id & CAN_ERR_FLAG) != 0) return error_words(id);
  if ((id & CAN_RTR_FLAG) != 0) return "remote frame";
  const bool extended = (id & CAN_EFF_FLAG) != 0;
  message.id = {.id = id & (extended ? CAN_EFF_MASK : CAN_SFF_MASK), .extended = extended};
  message.data = bytes.subspan(offsetof(canfd_frame, data), length);
  return {};
}

}  // namespace moru::edge
