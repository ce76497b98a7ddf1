// SPDX-License-Identifier: Apache-2.0
// Zip archives (PKWARE's APPNOTE 6.3), as far as NumPy, wheels and jars use them: stored or deflated, one disk, below 4 GiB.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace moru {

struct ZipEntry {
  std::string name;
  std::string contents;
};

/// An untrusted archive; the directory at its end decides. Checked when it is opened: that every part lies in the file and none in
/// another, and names (no absolute path, no "..", no control character, none twice). The bytes are borrowed for the object's life.
class ZipReader {
 public:
  struct Member {
    std::string_view name;
    std::uint64_t size = 0;  ///< as the directory claims; extract() holds it to that
  };
  /// Takes a piece of the contents; an error of its own ends the extraction and is returned.
  using Sink = std::function<Status(std::string_view)>;

  /// Errors: kCorrupt; kUnsupported (encryption, other methods, several disks, Zip64 sizes).
  static Result<ZipReader> open(std::string_view bytes);
  std::span<const Member> members() const { return members_; }
  /// Gives the contents of member `index` in pieces of at most 256 KiB, and then compares the checksum: nothing may be relied on
  /// before this returns. Errors: kCorrupt, those of `sink`. Cost: 256 KiB of memory, whatever the size.
  Status extract(std::size_t index, const Sink& sink) const;

 private:
  struct Place {
    std::uint16_t method = 0;
    std::uint32_t checksum = 0;
    std::string_view packed;
  };
  Status unpack(const Place& place, std::uint64_t size, const Sink& sink) const;
  std::vector<Member> members_;
  std::vector<Place> places_;
};

/// Reads all of an untrusted archive. Errors: those of ZipReader; kResourceExhausted when the contents together are larger than
/// `max_bytes`.
Result<std::vector<ZipEntry>> read_zip(std::string_view bytes, std::uint64_t max_bytes);

/// Deterministic: the time of every entry is 1980-01-01. Errors: kInvalidArgument (a bad name, or the same twice),
/// kUnsupported at 4 GiB and above, or more than 65,534 entries.
Result<std::string> write_zip(std::span<const ZipEntry> entries, bool compress);

}  // namespace moru
