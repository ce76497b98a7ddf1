// SPDX-License-Identifier: Apache-2.0
// Zip archives (PKWARE's APPNOTE 6.3), as far as NumPy uses them: stored or deflated, one disk, below 4 GiB. Only zip.cc knows zlib.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace moru::model {

struct ZipEntry {
  std::string name;
  std::string contents;
};

/// Reads an untrusted archive; the directory at its end decides. Checked: that every part lies in the file and none in another,
/// sizes before and while it inflates, checksums, and names (no absolute path, no "..", no control character, none twice).
/// Errors: kCorrupt; kUnsupported (encryption, other methods, several disks, Zip64 sizes); kResourceExhausted when the contents
/// together are larger than `max_bytes`.
Result<std::vector<ZipEntry>> read_zip(std::string_view bytes, std::uint64_t max_bytes);

/// Deterministic: the time of every entry is 1980-01-01. Errors: kInvalidArgument (a bad name, or the same twice),
/// kUnsupported at 4 GiB and above, or more than 65,534 entries.
Result<std::string> write_zip(std::span<const ZipEntry> entries, bool compress);

}  // namespace moru::model
