// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/control_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <list>
#include <thread>
#include <vector>

#include "core/file_lock.h"
#include "core/json.h"
#include "edge/streams/item_json.h"

namespace moru::edge {
namespace {

constexpr std::size_t kMaxClients = 16;
constexpr std::size_t kMaxQuestion = 4096;
constexpr std::size_t kMaxWaiting = 256U << 10U;  // bytes of an asker; then his tap fills up, and counts
constexpr int kTapPollMs = 50;

/// A name in a folder as an address. Addresses have 107 bytes, folders have more: the folder is named by its descriptor.
struct Address {
  Address(const Path& folder, std::string_view name) : fd(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    socket.sun_family = AF_UNIX;
    const auto path = fmt::format("/proc/self/fd/{}/{}", fd, name);
    path.copy(socket.sun_path, sizeof socket.sun_path - 1);
  }
  Address(const Address&) = delete;
  Address& operator=(const Address&) = delete;
  ~Address() {
    if (fd >= 0) ::close(fd);
  }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&socket); }
  int fd;
  sockaddr_un socket{};
};

std::string line_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

struct Asker {
  explicit Asker(int socket) : fd(socket) {}
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  ~Asker() { ::close(fd); }
  int fd;
  std::string question;
  std::string answer;
  std::shared_ptr<LinkTap> tap;
};

}  // namespace

struct ControlServer::Impl {
  Path path;
  Handlers handlers;
  std::optional<FileLock> lock;
  int listener = -1;
  int stop = -1;
  std::list<Asker> askers;
  std::thread thread;

  ~Impl() {
    if (stop >= 0) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(stop, &one, sizeof one);
    }
    if (thread.joinable()) thread.join();
    if (listener >= 0) {
      ::close(listener);
      ::unlink(path.c_str());
    }
    if (stop >= 0) ::close(stop);
  }

  Status open(const Path& folder);
  void run();
  void welcome();
  bool read_from(Asker& asker);
  void answer(Asker& asker, std::string_view question);
  static void fill(Asker& asker);
  static bool write_to(Asker& asker);
};

Status ControlServer::Impl::open(const Path& folder) {
  MORU_RETURN_IF_ERROR(make_folders(folder, 0700));
  auto taken = FileLock::take(folder / "lock");
  if (!taken)
    return fail(taken.error().in(fmt::format("'{}': found another stream at work, expected a state folder of its own", folder.string())));
  lock.emplace(std::move(*taken));
  path = folder / "control";
  ::unlink(path.c_str());  // of a process that was killed
  const Address address(folder, "control");
  listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  stop = ::eventfd(0, EFD_CLOEXEC);
  // Nobody can connect before listen(), so nobody meets it with another mode.
  if (listener < 0 || stop < 0 || ::bind(listener, address.get(), sizeof address.socket) != 0 || ::chmod(path.c_str(), 0600) != 0 ||
      ::listen(listener, 8) != 0) {
    return fail(errno_error("make", path));
  }
  return {};
}

void ControlServer::Impl::run() {
  while (true) {
    std::vector<pollfd> fds = {{stop, POLLIN, 0}, {listener, POLLIN, 0}};
    int wait = -1;
    for (Asker& asker : askers) {
      if (asker.tap) wait = kTapPollMs;
      fds.push_back({asker.fd, static_cast<short>(POLLIN | (asker.answer.empty() ? 0 : POLLOUT)), 0});
    }
    if (::poll(fds.data(), fds.size(), wait) < 0) continue;
    if (fds[0].revents != 0) return;
    std::size_t i = 2;
    for (auto asker = askers.begin(); asker != askers.end(); ++i) {
      const bool alive = (fds[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0 || read_from(*asker);
      if (alive) fill(*asker);
      asker = alive && write_to(*asker) ? std::next(asker) : askers.erase(asker);
    }
    if (fds[1].revents != 0) welcome();
  }
}

void ControlServer::Impl::welcome() {
  const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  if (askers.size() >= kMaxClients) {
    ::close(fd);
    return;
  }
  askers.emplace_back(fd);
}

/// False when it has gone, or asks too much.
bool ControlServer::Impl::read_from(Asker& asker) {
  std::array<char, 4096> piece{};
  const ssize_t got = ::recv(asker.fd, piece.data(), piece.size(), 0);
  if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
  asker.question.append(piece.data(), static_cast<std::size_t>(got));
  for (auto end = asker.question.find('\n'); end != std::string::npos; end = asker.question.find('\n')) {
    if (asker.answer.size() > kMaxWaiting) return false;
    answer(asker, std::string_view(asker.question).substr(0, end));
    asker.question.erase(0, end + 1);
  }
  return asker.question.size() <= kMaxQuestion;
}

void ControlServer::Impl::answer(Asker& asker, std::string_view question) {
  const auto json = parse_json(question, "control");
  const auto ask = json ? json_or<std::string>(*json, "ask", "") : std::string();
  if (ask == "state") {
    asker.answer += line_of(handlers.state());
  } else if (ask == "tap") {
    auto tap = handlers.tap(json_or<std::string>(*json, "link", ""));
    if (tap) {
      asker.tap = std::move(*tap);
    } else {
      asker.answer += line_of({{"error", tap.error().message}});
    }
  } else {
    asker.answer += line_of({{"error", "control: found no question, expected {\"ask\": \"state\"} or {\"ask\": \"tap\", \"link\": NAME}"}});
  }
}

/// Puts what its tap has into what is to be written.
void ControlServer::Impl::fill(Asker& asker) {
  if (!asker.tap || asker.answer.size() > kMaxWaiting) return;
  std::uint64_t missed = 0;
  const TimeNs now = system_clock().steady_now();
  for (const Item& item : asker.tap->take(missed)) asker.answer += line_of(item_json(item, {}, now));
  if (missed > 0) asker.answer += line_of({{"missed", missed}});
}

bool ControlServer::Impl::write_to(Asker& asker) {
  if (asker.answer.empty()) return true;
  const ssize_t sent = ::send(asker.fd, asker.answer.data(), asker.answer.size(), MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  asker.answer.erase(0, static_cast<std::size_t>(sent));
  return true;
}

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlServer::~ControlServer() = default;

Result<std::unique_ptr<ControlServer>> ControlServer::start(const Path& folder, Handlers handlers) {
  auto impl = std::make_unique<Impl>();
  impl->handlers = std::move(handlers);
  MORU_RETURN_IF_ERROR(impl->open(folder));
  try {
    impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  } catch (const std::system_error& error) {
    return fail(ErrorCode::kResourceExhausted, fmt::format("control: thread: {}, expected one more thread to be had", error.what()));
  }
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

ControlClient::~ControlClient() {
  if (fd_ >= 0) ::close(fd_);
}

Result<ControlClient> ControlClient::connect(const Path& folder) {
  const Address address(folder, "control");
  ControlClient client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (client.fd_ < 0) return fail(errno_error("make a socket for", folder));
  if (address.fd < 0 || ::connect(client.fd_, address.get(), sizeof address.socket) != 0) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("'{}': found no stream at work ({}), expected the folder of one; run: moru stream run FILE --state {}",
                            folder.string(), std::strerror(errno), folder.string()));
  }
  return client;
}

Status ControlClient::send(const Json& question) {
  const std::string line = line_of(question);
  if (::send(fd_, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
    return fail(ErrorCode::kUnavailable, "control: the stream has ended, expected an answer");
  return {};
}

Result<std::optional<std::string>> ControlClient::next_line(TimeNs timeout) {
  const TimeNs deadline = system_clock().steady_now() + timeout;
  while (true) {
    if (const auto end = text_.find('\n'); end != std::string::npos) {
      std::string line = text_.substr(0, end);
      text_.erase(0, end + 1);
      return std::optional(std::move(line));
    }
    const TimeNs left = std::max<TimeNs>(deadline - system_clock().steady_now(), 0);
    pollfd fd{fd_, POLLIN, 0};
    const int ready = ::poll(&fd, 1, static_cast<int>(left / kMillisecond));
    if (ready < 0 && errno != EINTR) return fail(ErrorCode::kIo, fmt::format("control: poll: {}", std::strerror(errno)));
    if (ready <= 0) return std::optional<std::string>();
    std::array<char, 65536> piece{};
    const ssize_t got = ::recv(fd_, piece.data(), piece.size(), 0);
    if (got <= 0) return fail(ErrorCode::kUnavailable, "control: the stream has ended, expected more of it");
    text_.append(piece.data(), static_cast<std::size_t>(got));
  }
}

Result<Json> ControlClient::ask(const Json& question, TimeNs timeout) {
  MORU_RETURN_IF_ERROR(send(question));
  MORU_ASSIGN_OR_RETURN(const auto line, next_line(timeout));
  if (!line) return fail(ErrorCode::kDeadlineExceeded, "control: the stream does not answer, expected it to in time");
  MORU_ASSIGN_OR_RETURN(auto json, parse_json(*line, "control"));
  if (const auto error = json_or<std::string>(json, "error", ""); !error.empty()) return fail(ErrorCode::kInvalidArgument, error);
  return json;
}

}  // namespace moru::edge
