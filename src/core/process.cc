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

/// What a child needs, made before fork(): after it only async-signal-safe calls are allowed, as the parent may have threads.
struct ChildPlan {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* folder;  ///< null: the parent's
  int out;             ///< becomes stdout; -1: inherited
  int err;             ///< becomes stderr; -1: inherited
  int channel;         ///< becomes kChannel; -1: none
  int report;          ///< where errno goes when the program cannot be started; closed by a successful exec
  pid_t parent;
};

[[noreturn]] void give_up(int report) {
  const int number = errno;
  [[maybe_unused]] const auto written = ::write(report, &number, sizeof number);
  ::_exit(127);
}

/// Moves a descriptor out of the way of those that get fixed numbers.
int above_fixed(int fd) { return fd < 0 ? fd : ::fcntl(fd, F_DUPFD_CLOEXEC, kChannel + 1); }

[[noreturn]] void become(const ChildPlan& plan) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != plan.parent) ::_exit(127);  // the parent died before prctl
  const int report = above_fixed(plan.report);
  const int channel = above_fixed(plan.channel);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  // Ctrl-C on a terminal reaches the whole foreground group; children are stopped by their parent, in order.
  ::setpgid(0, 0);
  const int null = ::open("/dev/null", O_RDONLY);
  if (null > STDIN_FILENO) {
    ::dup2(null, STDIN_FILENO);
    ::close(null);
  }
  if (plan.out >= 0) ::dup2(plan.out, STDOUT_FILENO);
  if (plan.err >= 0) ::dup2(plan.err, STDERR_FILENO);
  if (channel >= 0) ::dup2(channel, kChannel);
  if (plan.folder != nullptr && ::chdir(plan.folder) != 0) give_up(report);
  ::execve(plan.program, plan.arguments, plan.environment);
  give_up(report);
}

/// Waits until the child has become its program; the errno of what failed, 0 when nothing did.
int wait_for_exec(pid_t pid, int report) {
  int number = 0;
  ssize_t got = 0;
  do {
    got = ::read(report, &number, sizeof number);
  } while (got < 0 && errno == EINTR);
  if (got != sizeof number) return 0;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return number;
}

Result<pid_t> fork_child(const ProcessOptions& options, int out, int err) {
  if (options.arguments.empty()) return fail(ErrorCode::kInvalidArgument, "start process: found no program name, expected one");
  const auto program = find_program(options.arguments[0]);
  if (!program)
    return fail(ErrorCode::kNotFound,
                fmt::format("start '{}': found no such program, expected it in PATH; install it", options.arguments[0]));
  auto arguments = options.arguments;
  auto environment = child_environment(options);
  const auto argument_pointers = pointers(arguments);
  const auto environment_pointers = pointers(environment);
  // Absolute, because the child may change its folder first.
  const std::string path = std::filesystem::absolute(*program).string();
  const std::string folder = options.working_folder ? options.working_folder->string() : std::string();
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) return fail(errno_error("pipe for", path));
  const ChildPlan plan{path.c_str(),
                       argument_pointers.data(),
                       environment_pointers.data(),
                       folder.empty() ? nullptr : folder.c_str(),
                       out,
                       err,
                       options.channel,
                       report[1],
                       ::getpid()};
  const pid_t pid = ::fork();
  if (pid == 0) become(plan);
  const Error fork_error = errno_error("fork for", path);
  ::close(report[1]);
  const int exec_error = pid > 0 ? wait_for_exec(pid, report[0]) : 0;
  ::close(report[0]);
  if (pid < 0) return fail(fork_error);
  if (exec_error != 0) {
    errno = exec_error;
    return fail(errno_error(folder.empty() ? "start" : fmt::format("start (in folder '{}')", folder), path));
  }
  return pid;
}

int g_stop_pipe[2] = {-1, -1};
volatile sig_atomic_t g_stop = 0;

void on_stop_signal(int signal) {
  const int saved = errno;  // the interrupted code may be about to read it
  if (g_stop != 0 && signal == SIGINT) ::_exit(130);
  g_stop = 1;
  const char byte = 1;
  [[maybe_unused]] const auto written = ::write(g_stop_pipe[1], &byte, 1);
  errno = saved;
}

/// For poll(): rounded up, so that the last wait does not spin, and never beyond an int.
int poll_timeout_ms(TimeNs left) {
  if (left <= 0) return 0;
  return static_cast<int>(std::min<TimeNs>(left / kMillisecond + 1, 3'600'000));
}

/// Reads `fd` to its end into `out`. Errors: kDeadlineExceeded, kResourceExhausted, kIo.
Status read_until(int fd, TimeNs deadline, std::size_t max_bytes, std::string* out) {
  std::array<char, 65536> buffer{};
  while (true) {
    const TimeNs left = deadline - system_clock().steady_now();
    if (left <= 0) return fail(ErrorCode::kDeadlineExceeded, "did not end in time");
    pollfd waiter{fd, POLLIN, 0};
    const int ready = ::poll(&waiter, 1, poll_timeout_ms(left));
    if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
    const ssize_t got = ready > 0 ? ::read(fd, buffer.data(), buffer.size()) : -1;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno_error("read the output of", "child"));
    if (got == 0) return {};
    out->append(buffer.data(), static_cast<std::size_t>(got));
    if (out->size() > max_bytes) return fail(ErrorCode::kResourceExhausted, fmt::format("wrote more than {}", human_bytes(max_bytes)));
  }
}

}  // namespace

std::string to_string(const ExitStatus& status) {
  const char* name = ::sigabbrev_np(status.signal);
  if (status.signal != 0) return fmt::format("signal {} (SIG{})", status.signal, name != nullptr ? name : "?");
  return fmt::format("exit code {}", status.code);
}

Result<Process> Process::start(const ProcessOptions& options) {
  int output = options.output;
  if (options.output_file) {
    output = ::open(options.output_file->c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (output < 0) return fail(errno_error("open", *options.output_file));
  }
  auto pid = fork_child(options, output, output);
  if (options.output_file) ::close(output);
  if (!pid) return fail(pid.error());
  return Process(*pid);
}

Result<Process> Process::start_with_stdout(const ProcessOptions& options, int out) {
  MORU_ASSIGN_OR_RETURN(const pid_t pid, fork_child(options, out, -1));
  return Process(pid);
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
  const std::string name = options.arguments.empty() ? "?" : options.arguments[0];
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno_error("pipe for", name));
  auto child = Process::start_with_stdout(options, ends[1]);
  ::close(ends[1]);
  Captured captured;
  Status status;
  const TimeNs deadline = system_clock().steady_now() + timeout;
  if (child) status = read_until(ends[0], deadline, kMaxOutput, &captured.output);
  ::close(ends[0]);
  if (!child) return fail(child.error());
  if (status) {
    if (const auto ended = child->wait_for(std::max<TimeNs>(deadline - system_clock().steady_now(), 0))) {
      captured.status = *ended;
      return captured;
    }
    status = fail(ErrorCode::kDeadlineExceeded, "did not end in time");
  }
  child->stop(0);
  return fail(status.error().code,
              fmt::format("'{}': {}, expected it to end within {}", name, status.error().message, human_duration_ns(timeout)));
}

std::optional<Path> find_program(const std::string& name) {
  // access() alone would take a folder of that name.
  const auto runnable = [](const Path& candidate) {
    std::error_code error;
    return ::access(candidate.c_str(), X_OK) == 0 && std::filesystem::is_regular_file(candidate, error);
  };
  if (name.empty()) return std::nullopt;
  if (name.find('/') != std::string::npos) return runnable(name) ? std::optional<Path>(name) : std::nullopt;
  const char* path = std::getenv("PATH");
  const std::string folders = std::string(path != nullptr ? path : "/usr/bin:/bin") + ":/usr/sbin:/sbin";
  for (const auto folder : split(folders, ':')) {
    if (folder.empty()) continue;
    Path candidate = Path(folder) / name;
    if (runnable(candidate)) return candidate;
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
    ::poll(&waiter, g_stop_pipe[0] >= 0 ? 1 : 0, poll_timeout_ms(std::min(left, kSecond)));
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
