// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/clock.h"
#include "core/descriptor.h"
#include "core/result.h"
#include "edge/streams/can_frame.h"

namespace moru::edge {

/// A raw socket on a CAN interface ("can0") that gets the messages of these ids and what the controller reports. Errors: kUnavailable
/// (the interface may come), kUnsupported (a kernel without CAN).
Result<Descriptor> open_can(const std::string& interface, std::span<const CanId> ids, bool fd);

/// What a socket gives: one frame's bytes, in the front of the buffer that was handed in.
struct CanRead {
  std::size_t size = 0;                              ///< 0: there is none at the moment
  std::optional<TimeNs> time = std::nullopt;         ///< wall clock, when the kernel got it; where it says so
  std::optional<std::uint32_t> lost = std::nullopt;  ///< frames in all that found no room in the socket's queue; where it says so
};
/// Does not wait. From a socket of open_can or any other that keeps messages apart. Errors: kUnavailable.
Result<CanRead> read_can(const Descriptor& socket, std::span<std::uint8_t, kMaxCanFrame> buffer);

}  // namespace moru::edge
