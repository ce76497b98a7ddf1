// SPDX-License-Identifier: Apache-2.0
// Messages of a CAN bus as Linux hands them out (SocketCAN): struct can_frame, or struct canfd_frame of CAN FD.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace moru::edge {

inline constexpr std::size_t kMaxCanFrame = 72;  // bytes of a canfd_frame

struct CanId {
  std::uint32_t id = 0;
  bool extended = false;  ///< 29 bits, not 11
  bool operator==(const CanId&) const = default;
};

struct CanMessage {
  CanId id;
  std::span<const std::uint8_t> data;  ///< up to 8 bytes, or 64; a part of what was parsed
};

/// "" or why it is no message with data: "bad frame", "remote frame", or what the controller reports: "bus off", ...
std::string_view parse_can(std::span<const std::uint8_t> bytes, CanMessage& message);

}  // namespace moru::edge
