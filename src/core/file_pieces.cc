// SPDX-License-Identifier: Apache-2.0
#include "core/file_pieces.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace moru {
namespace {

struct Handle {
  explicit Handle(int descriptor) : fd(descriptor) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (fd >= 0) ::close(fd);
  }
  int fd;
};

}  // namespace

Status read_file_in_pieces(const Path& path, const std::function<Status(std::string_view)>& sink) {
  const Handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return fail(errno_error("open", path));
  constexpr std::size_t kPiece = std::size_t{256} * 1024;
  std::string piece(kPiece, '\0');
  while (true) {
    const ssize_t got = ::read(file.fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno_error("read", path));  // also for a folder
    if (got == 0) return {};
    MORU_RETURN_IF_ERROR(sink(std::string_view(piece).substr(0, static_cast<std::size_t>(got))));
  }
}

Result<FileWriter> FileWriter::create(const Path& path, unsigned mode) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return fail(errno_error("create", path));
  return FileWriter(path, fd);
}

FileWriter::~FileWriter() {
  if (fd_ >= 0) ::close(fd_);
}

Status FileWriter::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(errno_error("write", path_));
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status FileWriter::finish() {
  if (::fsync(fd_) != 0) return fail(errno_error("fsync", path_));
  return {};
}

}  // namespace moru
