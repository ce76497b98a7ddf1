// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "core/files.h"
#include "core/json.h"
#include "core/text.h"

namespace moru::runtime {
namespace {

/// How soon a request to stop is seen by a thread that did not get the signal.
constexpr TimeNs kLook = 100 * kMillisecond;

}  // namespace

Result<Worker> Worker::start(std::string name, const WorkerProgram& program) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail(errno_error("make a channel for", name));
  OwnedFd ours(ends[0]);
  const OwnedFd theirs(ends[1]);
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(errno_error("make a pipe for", name));
  OwnedFd output(ends[0]);
  const OwnedFd printed(ends[1]);
  ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
  MORU_ASSIGN_OR_RETURN_IN(name, Process process,
                           Process::start({.arguments = program,
                                           .environment = {},
                                           .output_file = {},
                                           .working_folder = {},
                                           .output = printed.get(),
                                           .channel = theirs.get()}));
  return Worker(std::move(name), std::move(process), std::move(ours), std::move(output));
}

Result<Json> Worker::request(const Json& request, std::string_view activity, TimeNs timeout) {
  if (channel_.get() < 0) {
    return fail(ErrorCode::kUnavailable, fmt::format("{}: found its process ended before {}, expected it to be there", name_, activity));
  }
  if (paused_) process_.send_signal(SIGCONT);
  paused_ = false;
  if (!send_line(channel_.get(), request)) return died(activity);
  MORU_ASSIGN_OR_RETURN(const std::string line, read_line(activity, timeout));
  return parse_answer(line, activity);
}

Result<std::string> Worker::read_line(std::string_view activity, TimeNs timeout) {
  const TimeNs deadline = system_clock().steady_now() + timeout;
  std::string line;
  while (!reader_.next(&line)) {
    const TimeNs left = deadline - system_clock().steady_now();
    if (stop_requested()) {
      kill();
      return fail(ErrorCode::kCancelled, fmt::format("{}: interrupted while {}", name_, activity));
    }
    if (left <= 0) {
      kill();
      return fail(ErrorCode::kDeadlineExceeded, fmt::format("{}: found no end of {} after {}, expected one; its process was ended{}", name_,
                                                            activity, human_duration_ns(timeout), last_words()));
    }
    pollfd waiters[2] = {{channel_.get(), POLLIN, 0}, {output_.get(), POLLIN, 0}};
    const auto wait_ms = static_cast<int>(std::min(left, kLook) / kMillisecond) + 1;
    if (::poll(waiters, 2, wait_ms) <= 0) continue;
    if (waiters[1].revents != 0) drain_output();
    if (waiters[0].revents == 0) continue;
    const auto more = reader_.fill(channel_.get());
    if (!more) {
      kill();
      return fail(more.error().in(name_));
    }
    if (!*more) return died(activity);
  }
  return line;
}

Result<Json> Worker::parse_answer(const std::string& line, std::string_view activity) {
  auto answer = parse_json(line, fmt::format("{}: answer while {}", name_, activity));
  if (!answer || !answer->is_object()) {
    kill();
    return fail(ErrorCode::kInternal,
                fmt::format("{}: found {} while {}, expected an answer of the worker", name_, in_quotes(line), activity));
  }
  MORU_RETURN_IF_ERROR(status_of_answer(*answer));
  return answer;
}

std::unexpected<Error> Worker::died(std::string_view activity) {
  channel_.reset();
  // The channel closes a moment before the process is gone.
  constexpr TimeNs kGrace = 10 * kSecond;
  auto status = process_.wait_for(kGrace);
  if (!status) status = process_.stop(0);
  drain_output();
  return fail(ErrorCode::kUnavailable, fmt::format("{}: found its process ended by {} while {}, expected an answer{}", name_,
                                                   to_string(*status), activity, last_words()));
}

void Worker::kill() {
  channel_.reset();
  process_.stop(0);
  drain_output();
}

void Worker::pause() {
  if (channel_.get() < 0) return;
  process_.send_signal(SIGSTOP);
  paused_ = true;
}

void Worker::drain_output() {
  constexpr std::size_t kKept = 4096;
  constexpr int kMostReads = 64;  // somebody who never stops printing must not keep us from the clock
  std::array<char, 4096> chunk{};
  for (int i = 0; i < kMostReads && output_.get() >= 0; ++i) {
    const ssize_t got = ::read(output_.get(), chunk.data(), chunk.size());
    if (got < 0) return;  // nothing for now
    if (got == 0) output_.reset();
    printed_.append(chunk.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (printed_.size() > kKept) printed_.erase(0, printed_.size() - kKept);
  }
}

std::string Worker::last_words() const {
  constexpr std::size_t kMaxLines = 3;
  constexpr std::size_t kMaxBytes = 240;
  std::vector<std::string_view> lines;
  for (const auto line : split(printed_, '\n')) {
    if (!trim(line).empty()) lines.push_back(trim(line));
  }
  if (lines.size() > kMaxLines) lines.erase(lines.begin(), lines.end() - kMaxLines);
  std::string words = fmt::format("{}", fmt::join(lines, " / "));
  if (words.size() > kMaxBytes) words = "..." + words.substr(words.size() - kMaxBytes);
  // Whatever it printed must not steer the terminal that shows this.
  std::ranges::replace_if(words, [](char c) { return c < ' ' || c > '~'; }, '?');
  return words.empty() ? "" : fmt::format("; its last words: '{}'", words);
}

}  // namespace moru::runtime
