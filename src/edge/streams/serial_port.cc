// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/serial_port.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace moru::edge {
namespace {

constexpr std::array<std::int64_t, 23> kSpeeds = {300,     600,     1200,    1800,    2400,    4800,    9600,   19200,
                                                  38400,   57600,   115200,  230400,  460800,  500000,  576000, 921600,
                                                  1000000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000};
constexpr std::array<speed_t, kSpeeds.size()> kNames = {B300,     B600,     B1200,    B1800,    B2400,    B4800,    B9600,   B19200,
                                                        B38400,   B57600,   B115200,  B230400,  B460800,  B500000,  B576000, B921600,
                                                        B1000000, B1500000, B2000000, B2500000, B3000000, B3500000, B4000000};

Error refused(const SerialPort& port, ErrorCode code, std::string_view what) {
  return {code, fmt::format("serial {}: {}: {}, expected a serial device that is there and may be read", port.device, what,
                            std::generic_category().message(errno))};
}

/// As cfmakeraw, and what the options say; modem lines do not count.
void set_options(const SerialPort& port, termios& settings) {
  ::cfmakeraw(&settings);
  settings.c_cflag &= ~static_cast<tcflag_t>(CSIZE | CSTOPB | PARENB | PARODD | CRTSCTS);
  settings.c_cflag |= CLOCAL | CREAD | static_cast<tcflag_t>(port.data_bits == 7 ? CS7 : CS8);
  if (port.stop_bits == 2) settings.c_cflag |= CSTOPB;
  if (port.parity != "none") settings.c_cflag |= PARENB;
  if (port.parity == "odd") settings.c_cflag |= PARODD;
  // A byte with a wrong parity comes as 0, which no record has.
  settings.c_iflag &= ~static_cast<tcflag_t>(IGNPAR | INPCK);
  if (port.parity != "none") settings.c_iflag |= INPCK;
  settings.c_cc[VMIN] = 1;
  settings.c_cc[VTIME] = 0;
  const auto at = static_cast<std::size_t>(std::ranges::find(kSpeeds, port.baud) - kSpeeds.begin());
  ::cfsetispeed(&settings, kNames[at]);
  ::cfsetospeed(&settings, kNames[at]);
}

}  // namespace

std::span<const std::int64_t> serial_speeds() { return kSpeeds; }

Result<Descriptor> open_serial(const SerialPort& port) {
  Descriptor fd(::open(port.device.c_str(), O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return fail(refused(port, ErrorCode::kUnavailable, "open"));
  termios settings{};
  if (::tcgetattr(fd.get(), &settings) != 0)
    return fail(refused(port, errno == ENOTTY ? ErrorCode::kInvalidArgument : ErrorCode::kUnavailable, "settings"));
  // Two readers would get half of the bytes each.
  if (::ioctl(fd.get(), TIOCEXCL) != 0) return fail(refused(port, ErrorCode::kUnavailable, "for one reader"));
  set_options(port, settings);
  if (::tcsetattr(fd.get(), TCSANOW, &settings) != 0) {
    return fail(refused(port, errno == EINVAL ? ErrorCode::kInvalidArgument : ErrorCode::kUnavailable,
                        fmt::format("{} baud, {} data bits", port.baud, port.data_bits)));
  }
  if (::tcflush(fd.get(), TCIFLUSH) != 0) return fail(refused(port, ErrorCode::kUnavailable, "flush"));
  return fd;
}

}  // namespace moru::edge
