// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/can_socket.h"

#include <fmt/format.h>
#include <linux/can.h>
#include <linux/can/error.h>
#include <linux/can/raw.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>
#include <vector>

namespace moru::edge {
namespace {

Error refused(const std::string& interface, std::string_view what) {
  return {ErrorCode::kUnavailable,
          fmt::format("can {}: {}: {}, expected a CAN interface that is up", interface, what, std::generic_category().message(errno))};
}

template <class T>
bool set_option(int fd, int level, int name, const T* value, std::size_t count = 1) {
  return ::setsockopt(fd, level, name, value, static_cast<socklen_t>(count * sizeof(T))) == 0;
}

/// The kernel sorts out other ids, and remote frames: they never wake this process.
bool set_filters(int fd, std::span<const CanId> ids) {
  std::vector<can_filter> filters;
  for (const CanId& id : ids) {
    const canid_t flag = id.extended ? CAN_EFF_FLAG : 0;
    filters.push_back({.can_id = id.id | flag, .can_mask = (id.extended ? CAN_EFF_MASK : CAN_SFF_MASK) | CAN_EFF_FLAG | CAN_RTR_FLAG});
  }
  // What happens all the time on a busy bus (a lost arbitration, each single bus error) is not asked for.
  const can_err_mask_t errors = CAN_ERR_BUSOFF | CAN_ERR_CRTL | CAN_ERR_RESTARTED | CAN_ERR_TRX;
  return set_option(fd, SOL_CAN_RAW, CAN_RAW_FILTER, filters.data(), filters.size()) &&
         set_option(fd, SOL_CAN_RAW, CAN_RAW_ERR_FILTER, &errors);
}

}  // namespace

Result<Descriptor> open_can(const std::string& interface, std::span<const CanId> ids, bool fd) {
  Descriptor socket(::socket(PF_CAN, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, CAN_RAW));
  if (!socket && (errno == EAFNOSUPPORT || errno == EPROTONOSUPPORT)) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("can {}: found a kernel without CAN, expected one with the modules can and can_raw", interface));
  }
  if (!socket) return fail(refused(interface, "socket"));
  const int on = 1;
  if (!set_filters(socket.get(), ids)) return fail(refused(interface, "filters"));
  if (fd && !set_option(socket.get(), SOL_CAN_RAW, CAN_RAW_FD_FRAMES, &on)) return fail(refused(interface, "CAN FD"));
  if (!set_option(socket.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on) || !set_option(socket.get(), SOL_SOCKET, SO_RXQ_OVFL, &on))
    return fail(refused(interface, "times"));
  sockaddr_can address{};
  address.can_family = AF_CAN;
  address.can_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  if (address.can_ifindex == 0) return fail(refused(interface, "find"));
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return fail(refused(interface, "bind"));
  return socket;
}

Result<CanRead> read_can(const Descriptor& socket, std::span<std::uint8_t, kMaxCanFrame> buffer) {
  iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(sizeof(std::uint32_t))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t count = ::recvmsg(socket.get(), &message, MSG_DONTWAIT);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return CanRead{};
  if (count <= 0) {
    return fail(ErrorCode::kUnavailable, fmt::format("can: {}, expected frames; is the interface up?",
                                                     count == 0 ? "found its end" : std::generic_category().message(errno)));
  }
  CanRead read{.size = static_cast<std::size_t>(count)};
  for (cmsghdr* part_of = CMSG_FIRSTHDR(&message); part_of != nullptr; part_of = CMSG_NXTHDR(&message, part_of)) {
    if (part_of->cmsg_level != SOL_SOCKET) continue;
    if (part_of->cmsg_type == SCM_TIMESTAMPNS) {
      timespec time{};
      std::memcpy(&time, CMSG_DATA(part_of), sizeof(time));
      read.time = TimeNs{time.tv_sec} * kSecond + time.tv_nsec;
    } else if (part_of->cmsg_type == SO_RXQ_OVFL) {
      std::memcpy(&read.lost.emplace(), CMSG_DATA(part_of), sizeof(std::uint32_t));
    }
  }
  return read;
}

}  // namespace moru::edge
