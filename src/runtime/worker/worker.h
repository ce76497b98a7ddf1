// SPDX-License-Identifier: Apache-2.0
// A child process that is asked one thing after the other, and may crash, hang or print while it answers.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/json_fwd.h"
#include "core/process.h"
#include "core/result.h"
#include "runtime/worker/channel.h"

namespace moru::runtime {

/// A program and its arguments that serve() requests: of `moru` it is {"/proc/self/exe", "worker"}.
using WorkerProgram = std::vector<std::string>;

/// Killed with its object, and by the kernel with the thread that started it (core/process.h). Threads: one owner.
class Worker {
 public:
  /// `name` begins the messages about the process itself: "backend openvino". Errors: those of Process::start().
  static Result<Worker> start(std::string name, const WorkerProgram& program);

  /// Sends a request and waits for its answer. Errors: the answer's own; kDeadlineExceeded after `timeout`, kUnavailable when the
  /// process ended (how, while doing what, and its last words), kCancelled when this process was asked to stop, kInternal for an answer
  /// that is none. After those four the worker is dead and every further request is kUnavailable.
  Result<Json> request(const Json& request, std::string_view activity, TimeNs timeout);

  /// Stops all threads of the process until the next request, so that none of them disturbs what is measured elsewhere.
  void pause();
  pid_t pid() const { return process_.pid(); }
  bool alive() const { return channel_.get() >= 0; }

 private:
  Worker(std::string name, Process process, OwnedFd channel, OwnedFd output)
      : name_(std::move(name)), process_(std::move(process)), channel_(std::move(channel)), output_(std::move(output)) {}
  Result<std::string> read_line(std::string_view activity, TimeNs timeout);
  Result<Json> parse_answer(const std::string& line, std::string_view activity);
  std::unexpected<Error> died(std::string_view activity);
  void kill();
  void drain_output();
  std::string last_words() const;

  std::string name_;
  Process process_;
  OwnedFd channel_;  ///< none: the process is dead
  OwnedFd output_;   ///< what the process prints
  LineReader reader_;
  std::string printed_;  ///< the end of it
  bool paused_ = false;
};

}  // namespace moru::runtime
