// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/modbus_link.h"

#include <fmt/format.h>
#include <modbus/modbus.h>

#include <array>
#include <cerrno>

#include "core/text.h"

namespace moru::edge {
namespace {

/// The exception that errno stands for after a request; "" when it is none. Words of the Modbus Application Protocol 1.1b3, section 7.
std::string_view exception_words(int error) {
  switch (error) {
    case EMBXILFUN: return "illegal function";
    case EMBXILADD: return "illegal data address";
    case EMBXILVAL: return "illegal data value";
    case EMBXSFAIL: return "server device failure";
    case EMBXACK: return "acknowledge";
    case EMBXSBUSY: return "server device busy";
    case EMBXNACK: return "negative acknowledge";
    case EMBXMEMPAR: return "memory parity error";
    case EMBXGPATH: return "gateway path unavailable";
    case EMBXGTAR: return "gateway target does not respond";
    case EMBUNKEXC: return "unknown exception";
    default: return {};
  }
}

Error lost(const ModbusServer& server, std::string_view what, int error) {
  const auto where = fmt::format("modbus {}:{}", server.host, server.port);
  if (error == ETIMEDOUT) {
    return {ErrorCode::kDeadlineExceeded, fmt::format("{}: {}: nothing within {}, expected an answer; is the unit {} right?", where, what,
                                                      human_duration_ns(server.timeout), server.unit)};
  }
  return {ErrorCode::kUnavailable, fmt::format("{}: {}: {}, expected a Modbus server that answers", where, what, ::modbus_strerror(error))};
}

class TcpLink final : public ModbusLink {
 public:
  TcpLink(ModbusServer server, modbus_t* context) : server_(std::move(server)), context_(context) {}

  Status open() {
    const auto seconds = static_cast<std::uint32_t>(server_.timeout / kSecond);
    const auto micros = static_cast<std::uint32_t>(server_.timeout % kSecond / kMicrosecond);
    // The time between two bytes of an answer is bounded by the time for the whole of it (0, 0).
    if (::modbus_set_response_timeout(context_.get(), seconds, micros) != 0 || ::modbus_set_byte_timeout(context_.get(), 0, 0) != 0 ||
        ::modbus_set_slave(context_.get(), static_cast<int>(server_.unit)) != 0) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("modbus: unit {} and time-out {}: {}, expected values that the protocol has",
                                                           server_.unit, human_duration_ns(server_.timeout), ::modbus_strerror(errno)));
    }
    errno = 0;
    if (::modbus_connect(context_.get()) == 0) return {};
    // A name that is not found leaves errno as it was.
    return fail(lost(server_, "connect", errno == 0 ? EHOSTUNREACH : errno));
  }

  Result<std::string_view> read(ModbusTable table, std::uint16_t address, std::span<std::uint16_t> values) override {
    const int got = table == ModbusTable::kHolding || table == ModbusTable::kInput ? read_words(table, address, values)
                                                                                   : read_bits(table, address, values);
    if (got == static_cast<int>(values.size())) return std::string_view();
    const int error = got < 0 ? errno : EMBBADDATA;
    if (const auto words = exception_words(error); !words.empty()) return words;
    return fail(lost(server_, fmt::format("read {} at {}", values.size(), address), error));
  }

 private:
  int read_words(ModbusTable table, std::uint16_t address, std::span<std::uint16_t> values) {
    const auto function = table == ModbusTable::kHolding ? ::modbus_read_registers : ::modbus_read_input_registers;
    return function(context_.get(), address, static_cast<int>(values.size()), values.data());
  }

  int read_bits(ModbusTable table, std::uint16_t address, std::span<std::uint16_t> values) {
    std::array<std::uint8_t, MODBUS_MAX_READ_BITS> bits{};
    const auto function = table == ModbusTable::kCoils ? ::modbus_read_bits : ::modbus_read_input_bits;
    const int got = function(context_.get(), address, static_cast<int>(values.size()), bits.data());
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = bits[i];
    return got;
  }

  struct Free {
    void operator()(modbus_t* context) const {
      ::modbus_close(context);
      ::modbus_free(context);
    }
  };
  const ModbusServer server_;
  std::unique_ptr<modbus_t, Free> context_;
};

}  // namespace

Result<std::unique_ptr<ModbusLink>> ModbusLink::connect(const ModbusServer& server) {
  modbus_t* const context = ::modbus_new_tcp_pi(server.host.c_str(), std::to_string(server.port).c_str());
  if (context == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("modbus: host {}: {}, expected a name or an address", in_quotes(server.host), ::modbus_strerror(errno)));
  }
  auto link = std::make_unique<TcpLink>(server, context);
  MORU_RETURN_IF_ERROR(link->open());
  return std::unique_ptr<ModbusLink>(std::move(link));
}

}  // namespace moru::edge
