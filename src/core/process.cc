// SPDX-License-Identifier: Apache-2.0
#include "core/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "core/text.h"

extern char** environ;

namespace moru {
namespace {

constexpr TimeNs kPollInterval = 5 * kMillisecond;

ExitStatus from_wait(int status) {
  if (WIFSIGNALED(status)) return {128 + WTERMSIG(status), WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

std::vector<std::string> child_environment(const ProcessOptions& options) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& [key, value] : options.environment) replaced = replaced || key == name;
    if (!replaced) all.emplace_back(text);
  }
  for (const auto& [key, value] : options.environment) all.push_back(key + "=" + value);
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (auto& string : strings) result.push_back(string.data());
  result.push_back(nullptr);
  return result;
}

/// Only async-signal-safe calls: the parent may have threads.
[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment, int output, const char* folder,
                         pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // the parent died before prctl
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  // Ctrl-C on a terminal reaches the whole foreground group; children are stopped by their parent, in order.
  ::setpgid(0, 0);
  const int null = ::open("/dev/null", O_RDONLY);
  if (null >= 0) ::dup2(null, STDIN_FILENO);
  if (output >= 0) {
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
  }
  if (folder != nullptr && ::chdir(folder) != 0) ::_exit(127);
  ::execve(program, arguments, environment);
  ::_exit(127);
}

Result<pid_t> fork_child(const ProcessOptions& options, int output) {
  if (options.arguments.empty()) return fail(ErrorCode::kInvalidArgument, "start process: found no program name, expected one");
  const auto program = find_program(options.arguments[0]);
  if (!program) return fail(ErrorCode::kNotFound, fmt::format("start '{}': no such program in PATH; install it", options.arguments[0]));
  auto arguments = options.arguments;
  auto environment = child_environment(options);
  const auto argument_pointers = pointers(arguments);
  const auto environment_pointers = pointers(environment);
  const std::string path = program->string();
  const std::string folder = options.working_folder ? options.working_folder->string() : std::string();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail(errno_error("fork for", path));
  if (pid == 0) {
    become(path.c_str(), argument_pointers.data(), environment_pointers.data(), output, folder.empty() ? nullptr : folder.c_str(), parent);
  }
  return pid;
}

int g_stop_pipe[2] = {-1, -1};
volatile sig_atomic_t g_stop = 0;

void on_stop_signal(int signal) {
  if (g_stop != 0 && signal == SIGINT) ::_exit(130);
  g_stop = 1;
  const char byte = 1;
  [[maybe_unused]] const auto written = ::write(g_stop_pipe[1], &byte, 1);
}

}  // namespace

Result<Process> Process::start(const ProcessOptions& options) {
  int output = -1;
  if (options.output_file) {
    output = ::open(options.output_file->c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (output < 0) return fail(errno_error("open", *options.output_file));
  }
  auto pid = fork_child(options, output);
  if (output >= 0) ::close(output);
  if (!pid) return fail(pid.error());
  return Process(*pid);
}

Process::Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)), status_(other.status_) {}

Process& Process::operator=(Process&& other) noexcept {
  if (this != &other) {
    if (pid_ > 0) stop(0);
    pid_ = std::exchange(other.pid_, -1);
    status_ = other.status_;
  }
  return *this;
}

Process::~Process() {
  if (pid_ > 0) stop(kSecond);
}

std::optional<ExitStatus> Process::poll() {
  if (status_ || pid_ <= 0) return status_;
  int status = 0;
  const pid_t got = ::waitpid(pid_, &status, WNOHANG);
  if (got == pid_) status_ = from_wait(status);
  if (got < 0) status_ = ExitStatus{127, 0};
  return status_;
}

std::optional<ExitStatus> Process::wait_for(TimeNs timeout) {
  const TimeNs deadline = system_clock().steady_now() + timeout;
  while (!poll()) {
    if (system_clock().steady_now() >= deadline) return std::nullopt;
    std::this_thread::sleep_for(std::chrono::nanoseconds(kPollInterval));
  }
  return status_;
}

ExitStatus Process::stop(TimeNs grace) {
  if (pid_ <= 0) return {};
  if (grace > 0 && !poll()) {
    ::kill(pid_, SIGTERM);
    wait_for(grace);
  }
  if (!poll()) {
    ::kill(pid_, SIGKILL);
    wait_for(10 * kSecond);
  }
  return status_.value_or(ExitStatus{137, SIGKILL});
}

void Process::send_signal(int signal) {
  if (pid_ > 0 && !poll()) ::kill(pid_, signal);
}

Result<Captured> run_and_capture(const ProcessOptions& options, TimeNs timeout) {
  constexpr std::size_t kMaxOutput = 16U << 20U;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno_error("pipe for", options.arguments.empty() ? "?" : options.arguments[0]));
  ProcessOptions piped = options;
  piped.output_file = Path(fmt::format("/proc/self/fd/{}", ends[1]));
  auto child = Process::start(piped);
  ::close(ends[1]);
  if (!child) {
    ::close(ends[0]);
    return fail(child.error());
  }
  Captured captured;
  const TimeNs deadline = system_clock().steady_now() + timeout;
  std::array<char, 65536> buffer{};
  while (true) {
    const TimeNs left = deadline - system_clock().steady_now();
    pollfd waiter{ends[0], POLLIN, 0};
    const int ready = left > 0 ? ::poll(&waiter, 1, static_cast<int>(left / kMillisecond) + 1) : 0;
    if (ready < 0 && errno == EINTR) continue;
    const ssize_t got = ready > 0 ? ::read(ends[0], buffer.data(), buffer.size()) : -1;
    if (got > 0) captured.output.append(buffer.data(), static_cast<std::size_t>(got));
    if (got == 0) break;
    if (got < 0 || captured.output.size() > kMaxOutput) {
      ::close(ends[0]);
      child->stop(0);
      return fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("'{}': did not end within {}, or wrote more than 16 MiB", options.arguments[0], human_duration_ns(timeout)));
    }
  }
  ::close(ends[0]);
  const auto status = child->wait_for(std::max<TimeNs>(deadline - system_clock().steady_now(), kSecond));
  captured.status = status ? *status : child->stop(0);
  return captured;
}

std::optional<Path> find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) {
    return ::access(name.c_str(), X_OK) == 0 ? std::optional<Path>(name) : std::nullopt;
  }
  const char* path = std::getenv("PATH");
  const std::string folders = std::string(path != nullptr ? path : "/usr/bin:/bin") + ":/usr/sbin:/sbin";
  for (const auto folder : split(folders, ':')) {
    if (folder.empty()) continue;
    Path candidate = Path(folder) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

void install_stop_signals() {
  if (g_stop_pipe[0] < 0 && ::pipe2(g_stop_pipe, O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
  struct sigaction action{};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

bool stop_requested() { return g_stop != 0; }

void request_stop() {
  g_stop = 1;
  const char byte = 1;
  if (g_stop_pipe[1] >= 0) [[maybe_unused]]
    const auto written = ::write(g_stop_pipe[1], &byte, 1);
}

bool wait_for_stop(TimeNs timeout) {
  const TimeNs deadline = system_clock().steady_now() + timeout;
  while (!stop_requested()) {
    const TimeNs left = deadline - system_clock().steady_now();
    if (left <= 0) return false;
    pollfd waiter{g_stop_pipe[0], POLLIN, 0};
    ::poll(&waiter, g_stop_pipe[0] >= 0 ? 1 : 0, static_cast<int>(std::min<TimeNs>(left / kMillisecond + 1, 1000)));
  }
  return true;
}

Result<int> free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(errno_error("open socket", "127.0.0.1"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound =
      ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const auto error = errno_error("bind", "127.0.0.1");
  ::close(fd);
  if (!bound) return fail(error);
  return ntohs(address.sin_port);
}

}  // namespace moru
