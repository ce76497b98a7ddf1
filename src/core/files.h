// SPDX-License-Identifier: Apache-2.0
// Files, with errors that name the path, what went wrong and what to do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "core/result.h"

namespace moru {

using Path = std::filesystem::path;

/// Reads a whole file. Errors: kNotFound, kIo, kResourceExhausted above `max_bytes` (1 GiB unless told).
Result<std::string> read_file(const Path& path, std::uint64_t max_bytes = std::uint64_t{1} << 30U);

/// Writes a file so that after a crash either the old or the new content is there, whole: temporary file in the same
/// folder, write, fsync, rename, fsync of the folder. `mode` as in chmod; secrets take 0600. Cost: two fsyncs.
Status write_file_atomic(const Path& path, std::string_view bytes, unsigned mode = 0644);

/// mkdir -p; `mode` for the folders it makes.
Status make_folders(const Path& path, unsigned mode = 0755);

/// fsync of a folder: makes renames and new names in it durable.
Status sync_folder(const Path& path);

/// The error for a failed system call on `path`, from errno: "write 'x': No space left on device; free some space ...".
Error errno_error(std::string_view what, const Path& path);

/// A folder of its own under $TMPDIR, removed with the object.
class TempFolder {
 public:
  static Result<TempFolder> create(std::string_view prefix);
  TempFolder(TempFolder&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TempFolder& operator=(TempFolder&&) = delete;
  ~TempFolder();
  const Path& path() const { return path_; }

 private:
  explicit TempFolder(Path path) : path_(std::move(path)) {}
  Path path_;
};

/// A file mapped read-only. Borrowed views die with the object. A file that another process truncates while it is
/// mapped ends this process (SIGBUS): map only files that are replaced by rename.
class MappedFile {
 public:
  static Result<MappedFile> open(const Path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();
  std::string_view bytes() const { return {data_, size_}; }

 private:
  MappedFile(const char* data, std::size_t size) : data_(data), size_(size) {}
  const char* data_;
  std::size_t size_;
};

/// $MORU_HOME, else ~/.moru. Holds all state of the user's own.
Path moru_home();

}  // namespace moru
