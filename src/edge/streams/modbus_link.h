// SPDX-License-Identifier: Apache-2.0
// A connection to a Modbus TCP server (a PLC, a meter, a gateway). Only modbus_link.cc knows libmodbus.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"

namespace moru::edge {

/// The four tables of a server: words that can be written and that cannot, bits that can be written and that cannot.
enum class ModbusTable : std::uint8_t { kHolding, kInput, kCoils, kDiscrete };

struct ModbusServer {
  std::string host;
  std::int64_t port = 502;
  std::int64_t unit = 1;
  TimeNs timeout = 0;
};

/// Threads: one at a time.
class ModbusLink {
 public:
  virtual ~ModbusLink() = default;
  /// Waits at most about the time-out. Errors: kUnavailable, kDeadlineExceeded.
  static Result<std::unique_ptr<ModbusLink>> connect(const ModbusServer& server);
  /// Reads as many words (of a table of bits: 0 or 1 each) from `address` on. Gives "", or the exception by which the server refuses it,
  /// in words: "illegal data address". An error means that the connection is of no more use: kUnavailable, kDeadlineExceeded, or
  /// kCorrupt turned into kUnavailable, since what comes next on it cannot be told from the rest of a bad answer.
  virtual Result<std::string_view> read(ModbusTable table, std::uint16_t address, std::span<std::uint16_t> values) = 0;
};

}  // namespace moru::edge
