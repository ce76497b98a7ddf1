// SPDX-License-Identifier: Apache-2.0
#include "wire/http_server/file_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace moru::wire::server {
namespace {

constexpr std::uint64_t kPieceBytes = 256 * 1024;

}  // namespace

FileReader::FileReader(const HttpFile& file)
    : fd_(::open(file.path.c_str(), O_RDONLY | O_CLOEXEC)),
      offset_(file.offset),
      left_(file.length),
      piece_(static_cast<std::size_t>(std::min(file.length, kPieceBytes))) {}

FileReader::~FileReader() {
  if (fd_ >= 0) ::close(fd_);
}

std::string_view FileReader::next() {
  if (fd_ < 0) return {};
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, piece_.size()));
  const ssize_t got = ::pread(fd_, piece_.data(), wanted, static_cast<off_t>(offset_));
  if (got <= 0) return {};
  offset_ += static_cast<std::uint64_t>(got);
  left_ -= static_cast<std::uint64_t>(got);
  return {piece_.data(), static_cast<std::size_t>(got)};
}

}  // namespace moru::wire::server
