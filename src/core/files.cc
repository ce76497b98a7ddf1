// SPDX-License-Identifier: Apache-2.0
#include "core/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace moru {
namespace {

class FileHandle {
 public:
  explicit FileHandle(int fd) : fd_(fd) {}
  FileHandle(const FileHandle&) = delete;
  FileHandle& operator=(const FileHandle&) = delete;
  ~FileHandle() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

Status write_all(int fd, std::string_view bytes, const Path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return fail(errno_error("write", path));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

/// Makes a file that did not exist. A name may be taken by the leftover of a process that had this one's id and lost
/// its power, so the next number is tried; errors speak of `path`, the name that the caller knows.
Result<std::pair<int, Path>> create_beside(const Path& path) {
  static std::atomic<unsigned> counter{0};
  constexpr int kTries = 1000;
  const Path folder = path.has_parent_path() ? path.parent_path() : Path(".");
  for (int i = 0; i < kTries; ++i) {
    Path temporary = folder / fmt::format(".{}.{}.{}.tmp", path.filename().string(), ::getpid(), counter++);
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) return std::pair(fd, std::move(temporary));
    if (errno != EEXIST) break;
  }
  return fail(errno_error("create", path));
}

Status write_and_sync(int fd, std::string_view bytes, unsigned mode, const Path& path) {
  // Not by open(): the umask would take bits away.
  if (::fchmod(fd, mode) != 0) return fail(errno_error("set the mode of", path));
  MORU_RETURN_IF_ERROR(write_all(fd, bytes, path));
  if (::fsync(fd) != 0) return fail(errno_error("fsync", path));
  return {};
}

}  // namespace

Error errno_error(std::string_view what, const Path& path) {
  const int number = errno;
  ErrorCode code = ErrorCode::kIo;
  std::string_view advice;
  if (number == ENOENT || number == ENOTDIR) {
    code = ErrorCode::kNotFound;
  } else if (number == ENOSPC || number == EDQUOT) {
    advice = "; free some space there, or choose another folder with MORU_HOME";
  } else if (number == EACCES || number == EPERM || number == EROFS) {
    advice = "; check the permissions of the folder";
  }
  return Error{code, fmt::format("{} '{}': {}{}", what, path.string(), std::strerror(number), advice)};
}

Result<std::string> read_file(const Path& path, std::uint64_t max_bytes) {
  const FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail(errno_error("open", path));
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail(errno_error("stat", path));
  if (S_ISDIR(info.st_mode))
    return fail(ErrorCode::kInvalidArgument, fmt::format("open '{}': found a folder, expected a file", path.string()));
  std::string bytes;
  if (info.st_size > 0) bytes.reserve(std::min<std::uint64_t>(static_cast<std::uint64_t>(info.st_size), max_bytes) + 1);
  // Reads to the end instead of trusting st_size: files under /proc have size 0.
  constexpr std::size_t kChunk = std::size_t{64} * 1024;
  while (true) {
    const std::size_t old_size = bytes.size();
    bytes.resize(old_size + kChunk);
    const ssize_t got = ::read(file.get(), bytes.data() + old_size, kChunk);
    bytes.resize(old_size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) {
      if (errno == EINTR) continue;
      return fail(errno_error("read", path));
    }
    if (got == 0) return bytes;
    if (bytes.size() > max_bytes) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("read '{}': found more than {} bytes, expected at most that", path.string(), max_bytes));
    }
  }
}

Status sync_folder(const Path& path) {
  const FileHandle folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return fail(errno_error("open folder", path));
  if (::fsync(folder.get()) != 0) return fail(errno_error("fsync folder", path));
  return {};
}

Status write_file_atomic(const Path& path, std::string_view bytes, unsigned mode) {
  MORU_ASSIGN_OR_RETURN(const auto created, create_beside(path));
  const auto& [fd, temporary] = created;
  const FileHandle file(fd);
  auto status = write_and_sync(fd, bytes, mode, path);
  if (status && ::rename(temporary.c_str(), path.c_str()) != 0) status = fail(errno_error("rename to", path));
  if (!status) {
    ::unlink(temporary.c_str());
    return status;
  }
  return sync_folder(path.has_parent_path() ? path.parent_path() : Path("."));
}

Status make_folders(const Path& path, unsigned mode) {
  if (path.empty()) return {};
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  const Path parent = path.parent_path() == path ? Path() : path.parent_path();
  MORU_RETURN_IF_ERROR(make_folders(parent, mode));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail(errno_error("make folder", path));
  if (!std::filesystem::is_directory(path, error)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("make folder '{}': found a file of that name, expected a folder", path.string()));
  }
  // Else a power cut takes the folder with all that was synced in it.
  return sync_folder(parent.empty() ? Path(".") : parent);
}

Result<TempFolder> TempFolder::create(std::string_view prefix) {
  std::error_code error;
  const Path root = std::filesystem::temp_directory_path(error);
  if (error) return fail(ErrorCode::kIo, fmt::format("temporary folder: {}; set TMPDIR to a folder that can be written", error.message()));
  std::string pattern = (root / fmt::format("{}-XXXXXX", prefix)).string();
  if (::mkdtemp(pattern.data()) == nullptr) return fail(errno_error("make temporary folder", pattern));
  return TempFolder(Path(pattern));
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

Result<MappedFile> MappedFile::open(const Path& path) {
  const FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return fail(errno_error("open", path));
  struct stat info{};
  if (::fstat(file.get(), &info) != 0) return fail(errno_error("stat", path));
  if (!S_ISREG(info.st_mode))
    return fail(ErrorCode::kInvalidArgument, fmt::format("open '{}': found no regular file, expected one", path.string()));
  if (info.st_size == 0) return MappedFile(nullptr, 0);
  const auto size = static_cast<std::size_t>(info.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return fail(errno_error("map", path));
  return MappedFile(static_cast<const char*>(data), size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept : data_(other.data_), size_(other.size_) {
  other.data_ = nullptr;
  other.size_ = 0;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
}

Path moru_home() {
  if (const char* home = std::getenv("MORU_HOME"); home != nullptr && *home != '\0') return home;
  const char* user = std::getenv("HOME");
  return Path(user != nullptr && *user != '\0' ? user : "/root") / ".moru";
}

}  // namespace moru
