// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/signals.h"

#include <fmt/format.h>

#include <algorithm>

namespace moru::edge {
namespace {

/// The bit behind this one, from the highest to the lowest, in a big-endian signal: down the byte, then on at the next byte's highest.
std::size_t next_lower(std::size_t bit) { return bit % 8 == 0 ? bit + 15 : bit - 1; }

Result<Signal> read_signal(const std::string& name, const ConfigObject& object, std::size_t max_bytes) {
  Signal signal{.spec = {.name = name}};
  const auto most = static_cast<double>(max_bytes * 8);
  std::int64_t start = 0;
  std::int64_t length = 0;
  std::int64_t when = -1;
  std::string order = "little";
  ConfigReader reader(object);
  reader.required("start", &start, {.min = 0, .max = most - 1});
  reader.required("length", &length, {.min = 1, .max = 64});
  reader.choice("order", &order, {"little", "big"});
  reader.optional("signed", &signal.is_signed);
  reader.optional("scale", &signal.scale, {.min = -1e12, .max = 1e12});
  reader.optional("offset", &signal.offset, {.min = -1e15, .max = 1e15});
  reader.optional("unit", &signal.spec.unit);
  reader.optional("multiplexer", &signal.multiplexer);
  reader.optional("when", &when, {.min = 0, .max = 1e15});
  MORU_RETURN_IF_ERROR(reader.finish());
  signal.start = static_cast<std::size_t>(start);
  signal.length = static_cast<std::size_t>(length);
  signal.big_endian = order == "big";
  if (when >= 0) signal.when = static_cast<std::uint64_t>(when);
  // Without a sign 64 bits may be more than an int64 holds.
  const bool whole = signal.scale == 1.0 && signal.offset == 0.0 && (signal.length < 64 || signal.is_signed);
  if (whole) signal.spec.type = FieldType::kInt64;
  if (signal.bytes() > max_bytes) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found {} bits from bit {} on, which end in byte {}, expected at most {} bytes", object.where(), length,
                            start, signal.bytes(), max_bytes));
  }
  if (signal.multiplexer && signal.when) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found a multiplexer with 'when', expected one that every message has", object.where()));
  }
  return signal;
}

Status check_multiplexer(const ConfigObject& object, const std::vector<Signal>& signals) {
  const auto multiplexers = std::ranges::count(signals, true, &Signal::multiplexer);
  const bool asked = std::ranges::any_of(signals, [](const Signal& signal) { return signal.when.has_value(); });
  if (multiplexers == (asked ? 1 : multiplexers) && multiplexers <= 1) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} signals with 'multiplexer: true', expected {}", object.where(),
                                                       multiplexers, asked ? "one, since some have 'when'" : "one at most"));
}

}  // namespace

std::size_t Signal::bytes() const {
  if (!big_endian) return (start + length + 7) / 8;
  std::size_t last = start;
  for (std::size_t i = 1; i < length; ++i) last = next_lower(last);
  return last / 8 + 1;
}

std::uint64_t Signal::raw(std::span<const std::uint8_t> message) const {
  std::uint64_t value = 0;
  std::size_t bit = big_endian ? start : start + length - 1;
  for (std::size_t i = 0; i < length; ++i) {
    value = (value << 1U) | ((static_cast<unsigned>(message[bit / 8]) >> (bit % 8)) & 1U);
    if (i + 1 < length) bit = big_endian ? next_lower(bit) : bit - 1;
  }
  return value;
}

Result<std::vector<Signal>> read_signals(const ConfigObject& object, std::size_t max_bytes) {
  std::vector<Signal> signals;
  for (const auto& name : object.keys()) {
    const auto value = object.find(name);
    if (name.find('.') != std::string::npos || !value->is_map()) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{}: found signal '{}', expected a name without a dot and {{start: BIT, length: BITS, ...}}", value->where(), name));
    }
    MORU_ASSIGN_OR_RETURN_IN(fmt::format("signal '{}'", name), auto signal, read_signal(name, *value, max_bytes));
    signals.push_back(std::move(signal));
  }
  if (signals.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: {}, expected a map of signals: {{speed: {{start: 0, length: 16}}}}", object.where(), object.found()));
  }
  MORU_RETURN_IF_ERROR(check_multiplexer(object, signals));
  return signals;
}

std::string_view decode_signals(std::span<const Signal> signals, std::span<const std::uint8_t> message, Item& item) {
  std::optional<std::uint64_t> chosen;
  const auto multiplexer = std::ranges::find(signals, true, &Signal::multiplexer);
  if (multiplexer != signals.end()) {
    if (message.size() < multiplexer->bytes()) return "too short";
    chosen = multiplexer->raw(message);
  }
  for (const Signal& signal : signals) {
    if (signal.when && signal.when != chosen) continue;
    if (message.size() < signal.bytes()) return "too short";
    const std::uint64_t raw = signal.raw(message);
    // The highest bit is the sign: moved to the top and back it fills what is above it.
    const auto unused = static_cast<unsigned>(64 - signal.length);
    const std::int64_t integer = signal.is_signed ? static_cast<std::int64_t>(raw << unused) >> unused : static_cast<std::int64_t>(raw);
    if (signal.spec.type == FieldType::kInt64) {
      item.set(signal.spec.name, integer);
    } else {
      const double number = signal.is_signed ? static_cast<double>(integer) : static_cast<double>(raw);
      item.set(signal.spec.name, number * signal.scale + signal.offset);
    }
  }
  return {};
}

}  // namespace moru::edge
