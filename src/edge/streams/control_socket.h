// SPDX-License-Identifier: Apache-2.0
// How a running stream is asked: a socket in its state folder, for the same user alone. A question is a line of JSON, and so is an
// answer: {"ask": "state"} is answered by the state; {"ask": "tap", "link": NAME} by a line for each item of the link, {"missed": N}
// where the asker was too slow for some, until he goes; a mistake by {"error": SENTENCE}.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/files.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "edge/streams/stream_watch.h"

namespace moru::edge {

class ControlServer {
 public:
  struct Handlers {  ///< called by the server's thread
    std::function<Json()> state;
    std::function<Result<std::shared_ptr<LinkTap>>(std::string_view link)> tap;
  };
  /// Makes the folder (mode 0700 when it is new) and `control` in it (mode 0600); takes the place of what a killed process left.
  /// Errors: kUnavailable when another process has the folder; kIo.
  static Result<std::unique_ptr<ControlServer>> start(const Path& folder, Handlers handlers);
  /// Ends the thread, and removes the socket.
  ~ControlServer();

 private:
  struct Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Threads: one owner.
class ControlClient {
 public:
  /// Errors: kUnavailable when no stream runs with that folder.
  static Result<ControlClient> connect(const Path& folder);
  ControlClient(ControlClient&& other) noexcept : fd_(std::exchange(other.fd_, -1)), text_(std::move(other.text_)) {}
  ControlClient& operator=(ControlClient&&) = delete;
  ~ControlClient();

  Status send(const Json& question);
  /// The next line; nothing when `timeout` is over first. Errors: kUnavailable when the stream has ended.
  Result<std::optional<std::string>> next_line(TimeNs timeout);
  /// A question and its one answer; {"error": ...} is an error.
  Result<Json> ask(const Json& question, TimeNs timeout = 10 * kSecond);

 private:
  explicit ControlClient(int fd) : fd_(fd) {}
  int fd_;
  std::string text_;
};

}  // namespace moru::edge
