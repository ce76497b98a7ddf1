// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/descriptor.h"
#include "core/result.h"

namespace moru::edge {

struct SerialPort {
  std::string device;
  std::int64_t baud = 9600;
  std::int64_t data_bits = 8;
  std::string parity = "none";  ///< or even, odd
  std::int64_t stop_bits = 1;
};

/// The speeds that Linux has names for.
std::span<const std::int64_t> serial_speeds();

/// Opens it for reading, for this process alone, and throws away what was received before. Raw bytes: nothing is echoed or translated.
/// Errors: kUnavailable (it may come back), kInvalidArgument (it is no serial device, or cannot do that).
Result<Descriptor> open_serial(const SerialPort& port);

}  // namespace moru::edge
