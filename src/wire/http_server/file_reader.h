// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "wire/http_server/http_server.h"

namespace moru::wire::server {

/// A part of a file, in pieces of at most 256 KiB. Threads: one owner.
class FileReader {
 public:
  explicit FileReader(const HttpFile& file);
  FileReader(const FileReader&) = delete;
  FileReader& operator=(const FileReader&) = delete;
  ~FileReader();

  /// Everything that was asked for has been read.
  bool done() const { return left_ == 0; }
  /// The next piece, valid until the next call; empty when the file is missing or shorter than was asked for.
  std::string_view next();

 private:
  int fd_;
  std::uint64_t offset_;
  std::uint64_t left_;
  std::vector<char> piece_;
};

}  // namespace moru::wire::server
