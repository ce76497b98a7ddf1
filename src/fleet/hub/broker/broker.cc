// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/broker/broker.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "core/log.h"
#include "core/text.h"

namespace moru::fleet {
namespace {

constexpr TimeNs kStartTimeout = 10 * kSecond;
constexpr TimeNs kFirstBackOff = 100 * kMillisecond;
constexpr TimeNs kLongestBackOff = 5 * kSecond;

bool accepts_connections(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool open = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return open;
}

/// mosquitto gives up root for the user "mosquitto", who may not read the hub's keys: it stays with the invoking user.
std::string user_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry != nullptr ? entry->pw_name : "root";
}

std::string configuration(const Path& folder, int port) {
  const auto file = [&](const char* name) { return (folder / name).string(); };
  return fmt::format(
      "# Written by the hub at each start.\n"
      "user {}\n"
      "listener {} 127.0.0.1\n"
      "allow_anonymous false\n"
      "cafile {}\ncertfile {}\nkeyfile {}\n"
      "require_certificate true\nuse_identity_as_username true\ntls_version tlsv1.2\n"
      "acl_file {}\n"
      "persistence true\npersistence_location {}/\nautosave_interval 60\n"
      "message_size_limit 8388608\nmax_queued_messages 10000\nset_tcp_nodelay true\n"
      "log_dest stderr\nlog_type error\nlog_type warning\nlog_type notice\nconnection_messages false\n",
      user_name(), port, file("ca.pem"), file("broker.pem"), file("broker-key.pem"), file("access.acl"), folder.string());
}

/// Nodes keep the port in their settings, so the hub takes the same one again when it can.
Result<int> choose_port(const BrokerOptions& options) {
  if (options.port != 0) return options.port;
  const auto kept = read_file(options.folder / "port", 16);
  int port = 0;
  if (kept) std::from_chars(kept->data(), kept->data() + kept->size(), port);
  if (port > 0 && port < 65536 && !accepts_connections(port)) return port;
  return free_port();
}

Status write_files(const BrokerOptions& options, int port, const trust::CertificateAuthority& authority) {
  MORU_ASSIGN_OR_RETURN(const auto server, authority.issue_server("broker", {"127.0.0.1", "localhost"}));
  const Path& folder = options.folder;
  MORU_RETURN_IF_ERROR(write_file_atomic(folder / "ca.pem", authority.certificate_pem()));
  MORU_RETURN_IF_ERROR(write_file_atomic(folder / "broker.pem", server.certificate_pem));
  MORU_RETURN_IF_ERROR(write_file_atomic(folder / "broker-key.pem", server.key_pem, 0600));
  MORU_RETURN_IF_ERROR(write_file_atomic(folder / "access.acl", broker_access_rules(options.hub_name), 0600));
  MORU_RETURN_IF_ERROR(write_file_atomic(folder / "mosquitto.conf", configuration(folder, port), 0600));
  return write_file_atomic(folder / "port", std::to_string(port));
}

}  // namespace

std::string broker_access_rules(const std::string& hub_name) {
  std::string rules = fmt::format("user {}\ntopic readwrite moru/v1/#\n\n", hub_name);
  for (const char* kind : {"desired", "ack"}) rules += fmt::format("pattern read moru/v1/nodes/%u/{}\n", kind);
  for (const char* kind : {"state", "records", "online"}) rules += fmt::format("pattern write moru/v1/nodes/%u/{}\n", kind);
  return rules;
}

Result<std::unique_ptr<Broker>> Broker::start(const BrokerOptions& options, const trust::CertificateAuthority& authority) {
  const auto program = find_program(options.program);
  if (!program) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("broker: found no program '{}', expected it in PATH; install mosquitto (Debian: apt-get install mosquitto)",
                            options.program));
  }
  MORU_RETURN_IF_ERROR(make_folders(options.folder, 0700));
  MORU_ASSIGN_OR_RETURN(const int port, choose_port(options));
  MORU_RETURN_IF_ERROR(write_files(options, port, authority));
  std::unique_ptr<Broker> broker(new Broker(options.folder, port, program->string()));
  std::unique_lock lock(broker->mutex_);
  broker->wake_.wait(lock, [&] { return broker->started_; });
  if (!broker->first_) return fail(broker->first_.error());
  lock.unlock();
  return broker;
}

Broker::Broker(Path folder, int port, std::string program)
    : folder_(std::move(folder)), port_(port), program_(std::move(program)), thread_([this] { supervise(); }) {}

Broker::~Broker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

Result<Process> Broker::launch() const {
  return Process::start({.arguments = {program_, "-c", (folder_ / "mosquitto.conf").string()},
                         .environment = {},
                         .output_file = folder_ / "broker.log",
                         .working_folder = {}});
}

std::string Broker::last_log_line() const {
  const auto log = read_file(folder_ / "broker.log");
  if (!log) return {};
  const auto text = trim(*log);
  return std::string(text.substr(text.rfind('\n') + 1));
}

Status Broker::wait_listening(Process& process) const {
  const TimeNs deadline = system_clock().steady_now() + kStartTimeout;
  while (system_clock().steady_now() < deadline) {
    if (process.wait_for(10 * kMillisecond)) {
      return fail(ErrorCode::kUnavailable, fmt::format("broker: mosquitto ended with exit code {} at its start: {}; see {}",
                                                       process.poll()->code, last_log_line(), (folder_ / "broker.log").string()));
    }
    if (accepts_connections(port_)) return {};
  }
  return fail(ErrorCode::kUnavailable, fmt::format("broker: mosquitto does not accept connections on 127.0.0.1:{} after {}; see {}", port_,
                                                   human_duration_ns(kStartTimeout), (folder_ / "broker.log").string()));
}

/// The child dies with the thread that started it, so this thread lives as long as the broker.
void Broker::supervise() {
  TimeNs back_off = kFirstBackOff;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    auto process = launch();
    const Status up = process ? wait_listening(*process) : Status(fail(process.error()));
    lock.lock();
    if (!started_) {
      started_ = true;
      first_ = up;
      if (!up) stopping_ = true;
      wake_.notify_all();
    }
    if (up) {
      pid_ = process->pid();
      MORU_LOG(kInfo, "broker runs", "port", port_, "pid", process->pid());
      const TimeNs since = system_clock().steady_now();
      while (!stopping_ && !process->poll()) wake_.wait_for(lock, std::chrono::milliseconds(20));
      pid_ = 0;
      if (system_clock().steady_now() - since > kLongestBackOff) back_off = kFirstBackOff;
    }
    if (stopping_) {
      lock.unlock();
      if (process) process->stop();
      return;
    }
    ++restarts_;
    MORU_LOG(kWarn, "broker ended, starting it again", "port", port_, "reason", up ? last_log_line() : up.error().message);
    wake_.wait_for(lock, std::chrono::nanoseconds(back_off), [this] { return stopping_; });
    back_off = std::min(back_off * 2, kLongestBackOff);
  }
}

}  // namespace moru::fleet
