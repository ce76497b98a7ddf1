// SPDX-License-Identifier: Apache-2.0
// Child processes that die with their parent, and signals that ask this one to stop.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"

namespace moru {

/// Where a child finds ProcessOptions::channel.
inline constexpr int kChannel = 3;

/// Descriptors are the caller's and stay open here.
struct ProcessOptions {
  std::vector<std::string> arguments;                            ///< arguments[0] is the program (PATH is searched)
  std::vector<std::pair<std::string, std::string>> environment;  ///< added to the parent's
  std::optional<Path> output_file;                               ///< stdout and stderr appended there; else inherited
  std::optional<Path> working_folder;
  int output = -1;   ///< a descriptor that becomes stdout and stderr, in place of output_file
  int channel = -1;  ///< a descriptor that becomes number kChannel, for talk that what the child prints cannot spoil
};

struct ExitStatus {
  int code = 0;    ///< as a shell has it: 128 + signal when a signal ended the process
  int signal = 0;  ///< 0: it ended by itself
};

struct Captured;

/// "signal 11 (SIGSEGV)", "exit code 3"
std::string to_string(const ExitStatus& status);

/// One child process. It is killed when the object dies, and by the kernel when the thread that started it ends
/// (PR_SET_PDEATHSIG), so start long-lived children from a thread that lives as long. Threads: one owner.
class Process {
 public:
  /// Returns when the child has become the program. Errors: kNotFound when there is no such program or folder, kIo
  /// when it cannot be started (its format, permissions).
  static Result<Process> start(const ProcessOptions& options);
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  ~Process();

  pid_t pid() const { return pid_; }
  /// The exit status if it has ended; does not wait.
  std::optional<ExitStatus> poll();
  /// Waits; nothing when the timeout passes first.
  std::optional<ExitStatus> wait_for(TimeNs timeout);
  /// SIGTERM, then SIGKILL after `grace`.
  ExitStatus stop(TimeNs grace = 5 * kSecond);
  void send_signal(int signal);

 private:
  friend Result<Captured> run_and_capture(const ProcessOptions& options, TimeNs timeout);
  explicit Process(pid_t pid) : pid_(pid) {}
  static Result<Process> start_with_stdout(const ProcessOptions& options, int out);
  pid_t pid_ = -1;
  std::optional<ExitStatus> status_;
};

/// Runs a program to its end and returns what it wrote to stdout. stderr is inherited; output_file is ignored.
/// Errors: those of Process::start; kDeadlineExceeded; kResourceExhausted above 16 MiB. The child is killed then.
struct Captured {
  ExitStatus status;
  std::string output;
};
Result<Captured> run_and_capture(const ProcessOptions& options, TimeNs timeout);

/// Finds a program in PATH, and in /usr/sbin and /sbin, where Debian keeps servers.
std::optional<Path> find_program(const std::string& name);

/// From now on SIGINT and SIGTERM only set a flag that stop_requested() reads, and wake wait_for_stop(). SIGPIPE is
/// ignored. A second SIGINT ends the process at once with exit code 130. Call once, in main, before threads start.
void install_stop_signals();
bool stop_requested();
/// Sets the same flag from inside the process.
void request_stop();
/// Waits until a stop is requested or the time is over; true when it is requested.
bool wait_for_stop(TimeNs timeout);

/// A TCP port on 127.0.0.1 that was free a moment ago.
Result<int> free_port();

}  // namespace moru
