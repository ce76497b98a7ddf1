// SPDX-License-Identifier: Apache-2.0
// Values packed into the bytes of a message by bits, as CAN messages have them, declared by a small table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "edge/streams/schema.h"

namespace moru::edge {

/// As a line `SG_` of a DBC file has it.
struct Signal {
  FieldSpec spec;
  std::size_t start = 0;  ///< bit 8 * byte + n, n from the lowest bit: where the lowest bit is, or, of big-endian ones, the highest
  std::size_t length = 0;
  bool big_endian = false;
  bool is_signed = false;
  double scale = 1.0;
  double offset = 0.0;
  bool multiplexer = false;             ///< its value says which other signals the message has
  std::optional<std::uint64_t> when{};  ///< it is in messages whose multiplexer has this value

  /// Bytes that a message must have to have it.
  std::size_t bytes() const;
  /// `message`: at least bytes() long.
  std::uint64_t raw(std::span<const std::uint8_t> message) const;
};

/// Reads `signals: {NAME: {start: 0, length: 16, ...}}` of messages of up to `max_bytes`. Each mistake with its line.
Result<std::vector<Signal>> read_signals(const ConfigObject& object, std::size_t max_bytes);

/// Puts the signals that the message has into the item. "" or why it has none of them: "too short".
std::string_view decode_signals(std::span<const Signal> signals, std::span<const std::uint8_t> message, Item& item);

}  // namespace moru::edge
