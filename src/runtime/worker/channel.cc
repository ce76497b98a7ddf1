// SPDX-License-Identifier: Apache-2.0
#include "runtime/worker/channel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "core/files.h"
#include "core/json.h"
#include "core/text.h"

namespace moru::runtime {

OwnedFd& OwnedFd::operator=(OwnedFd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void OwnedFd::reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Status send_line(int fd, const Json& value) {
  // What a backend says may be any bytes.
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t sent = ::send(fd, left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return fail(ErrorCode::kUnavailable, errno_error("write to", "the other process").message);
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<bool> LineReader::fill(int fd) {
  constexpr std::size_t kMaxLine = std::size_t{64} << 20U;
  std::array<char, 65536> chunk{};
  ssize_t got = 0;
  do {
    got = ::read(fd, chunk.data(), chunk.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == ECONNRESET) return false;  // the other end died with something unread
  if (got < 0) return fail(errno_error("read from", "the other process"));
  buffer_.append(chunk.data(), static_cast<std::size_t>(got));
  if (buffer_.size() > kMaxLine) {
    return fail(ErrorCode::kResourceExhausted, fmt::format("found a line of more than {}, expected a shorter one", human_bytes(kMaxLine)));
  }
  return got > 0;
}

bool LineReader::next(std::string* line) {
  const std::size_t end = buffer_.find('\n');
  if (end == std::string::npos) return false;
  *line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return true;
}

Json error_answer(const Error& error) { return {{"error", {{"code", to_string(error.code)}, {"message", error.message}}}}; }

Status status_of_answer(const Json& answer) {
  if (!answer.is_object()) {
    return fail(ErrorCode::kInternal, fmt::format("found {} as an answer, expected an object", answer.type_name()));
  }
  const auto error = answer.find("error");
  if (error == answer.end()) return {};
  const auto word = json_or<std::string>(*error, "code", "");
  ErrorCode code = ErrorCode::kInternal;
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    if (to_string(static_cast<ErrorCode>(i)) == word) code = static_cast<ErrorCode>(i);
  }
  return fail(code, json_or<std::string>(*error, "message", "found an error without a message, expected one"));
}

}  // namespace moru::runtime
