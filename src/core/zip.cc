// SPDX-License-Identifier: Apache-2.0
#include "core/zip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "core/text.h"

namespace moru {
namespace {

constexpr std::uint32_t kLocalMagic = 0x04034B50;
constexpr std::uint32_t kCentralMagic = 0x02014B50;
constexpr std::uint32_t kEndMagic = 0x06054B50;
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kCentralSize = 46;
constexpr std::size_t kEndSize = 22;
constexpr std::uint16_t kStored = 0;
constexpr std::uint16_t kDeflated = 8;
constexpr std::uint16_t kEncrypted = 1U << 0U;
constexpr std::uint16_t kUtf8 = 1U << 11U;
constexpr std::uint16_t kDate = 0x0021;         // 1980-01-01, the first that the format can say
constexpr std::uint32_t kInZip64 = 0xFFFFFFFF;  // stands for a number that is in an extra field
constexpr std::size_t kMaxEntries = 0xFFFE;
constexpr std::size_t kPiece = std::size_t{256} << 10U;
constexpr std::uint16_t kVersion = 20;  // 2.0: deflate

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }

std::uint16_t u16(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[at]) | static_cast<unsigned>(static_cast<unsigned char>(bytes[at + 1]))
                                                                                << 8U);
}
std::uint32_t u32(std::string_view bytes, std::size_t at) { return u16(bytes, at) | std::uint32_t{u16(bytes, at + 2)} << 16U; }

void put16(std::string& out, std::size_t value) {
  out.push_back(static_cast<char>(value & 0xFFU));
  out.push_back(static_cast<char>(value >> 8U & 0xFFU));
}
void put32(std::string& out, std::size_t value) {
  put16(out, value & 0xFFFFU);
  put16(out, value >> 16U & 0xFFFFU);
}

/// One row of the directory.
struct Row {
  std::string_view name;
  std::uint16_t flags = 0;
  std::uint16_t method = 0;
  std::uint32_t checksum = 0;
  std::size_t packed = 0;
  std::size_t size = 0;
  std::size_t local = 0;  ///< where the local header begins
};

/// A name that could mean a place outside a folder, or that a terminal would act on, is refused.
Status check_name(std::string_view name) {
  const auto bad = [&](std::string_view what) { return corrupt(fmt::format("found the name {}, expected {}", in_quotes(name), what)); };
  if (name.empty()) return bad("one that is not empty");
  if (name.front() == '/' || name.find('\\') != name.npos) return bad("a relative path with '/'");
  if (std::ranges::any_of(name, [](unsigned char c) { return c < ' ' || c == 0x7F; })) return bad("no control characters");
  for (const auto part : split(name, '/')) {
    if (part == "..") return bad("no '..'");
  }
  return {};
}

/// The end record is the last thing in the file but for a comment of the length that it states.
Result<std::size_t> find_end(std::string_view bytes) {
  if (bytes.size() < kEndSize) return corrupt(fmt::format("found {} bytes, expected a zip archive of at least {}", bytes.size(), kEndSize));
  const std::size_t last = bytes.size() - kEndSize;
  const std::size_t first = last > 0xFFFF ? last - 0xFFFF : 0;
  for (std::size_t at = last + 1; at-- > first;) {
    if (u32(bytes, at) == kEndMagic && at + kEndSize + u16(bytes, at + 20) == bytes.size()) return at;
  }
  return corrupt("found no directory at the end, expected a zip archive; the file may be cut short");
}

Result<Row> read_row(std::string_view bytes, std::size_t at, std::size_t end, std::size_t* next) {
  if (end - at < kCentralSize || u32(bytes, at) != kCentralMagic)
    return corrupt(fmt::format("found no directory row at byte {}, expected one", at));
  const std::size_t name_size = u16(bytes, at + 28);
  const std::size_t tail = name_size + u16(bytes, at + 30) + u16(bytes, at + 32);
  if (end - at - kCentralSize < tail)
    return corrupt(fmt::format("found a directory row at byte {} that is cut short, expected all of it", at));
  *next = at + kCentralSize + tail;
  return Row{.name = bytes.substr(at + kCentralSize, name_size),
             .flags = u16(bytes, at + 8),
             .method = u16(bytes, at + 10),
             .checksum = u32(bytes, at + 16),
             .packed = u32(bytes, at + 20),
             .size = u32(bytes, at + 24),
             .local = u32(bytes, at + 42)};
}

Status check_row(const Row& row) {
  MORU_RETURN_IF_ERROR(check_name(row.name));
  const auto unsupported = [&](std::string what) {
    return fail(ErrorCode::kUnsupported, fmt::format("entry {}: found {}", in_quotes(row.name), what));
  };
  if ((row.flags & kEncrypted) != 0) return unsupported("encryption, expected none");
  if (row.method != kStored && row.method != kDeflated)
    return unsupported(fmt::format("method {}, expected 0 (stored) or 8 (deflated)", row.method));
  if (row.packed == kInZip64 || row.size == kInZip64 || row.local == kInZip64)
    return unsupported("a size in Zip64 form, expected less than 4 GiB");
  return {};
}

Result<std::vector<Row>> read_directory(std::string_view bytes, std::size_t* begin) {
  MORU_ASSIGN_OR_RETURN(const std::size_t end, find_end(bytes));
  const std::size_t count = u16(bytes, end + 10);
  const std::size_t size = u32(bytes, end + 12);
  const std::size_t start = u32(bytes, end + 16);
  if (u16(bytes, end + 4) != 0 || u16(bytes, end + 6) != 0 || u16(bytes, end + 8) != count)
    return fail(ErrorCode::kUnsupported, "found an archive of several parts, expected one");
  if (count > kMaxEntries || start == kInZip64)
    return fail(ErrorCode::kUnsupported, "found a Zip64 directory, expected less than 65,535 entries");
  if (start > end || size != end - start)
    return corrupt(fmt::format("found a directory of {} bytes at {}, expected it to end at {}", size, start, end));
  std::vector<Row> rows;
  std::set<std::string_view> names;
  std::size_t at = start;
  for (std::size_t i = 0; i < count; ++i) {
    MORU_ASSIGN_OR_RETURN(const Row row, read_row(bytes, at, end, &at));
    MORU_RETURN_IF_ERROR(check_row(row));
    if (!names.insert(row.name).second) return corrupt(fmt::format("found two entries {}, expected one", in_quotes(row.name)));
    rows.push_back(row);
  }
  if (at != end) return corrupt(fmt::format("found {} bytes after the directory's last row, expected none", end - at));
  *begin = start;
  return rows;
}

/// Where an entry's data lie: behind its local header, before the directory.
Result<std::size_t> find_data(std::string_view bytes, const Row& row, std::size_t directory) {
  const auto where = [&](std::string_view what) { return corrupt(fmt::format("entry {}: found {}", in_quotes(row.name), what)); };
  if (row.local > directory || directory - row.local < kLocalSize || u32(bytes, row.local) != kLocalMagic)
    return where(fmt::format("no header at byte {}, expected one", row.local));
  const std::size_t name_size = u16(bytes, row.local + 26);
  const std::size_t data = row.local + kLocalSize + name_size + u16(bytes, row.local + 28);
  if (data > directory || directory - data < row.packed)
    return where(fmt::format("{} bytes of data at byte {}, expected them before the directory at {}", row.packed, data, directory));
  if (bytes.substr(row.local + kLocalSize, name_size) != row.name) return where("another name in its header, expected the same");
  return data;
}

/// A zlib stream that ends itself.
class Stream {
 public:
  ~Stream() {
    if (end_ != nullptr) end_(&stream_);
  }
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  bool begin_inflate() { return start(::inflateInit2(&stream_, -MAX_WBITS), ::inflateEnd); }
  bool begin_deflate() {
    constexpr int kMemory = 8;  // zlib's default
    return start(::deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, kMemory, Z_DEFAULT_STRATEGY), ::deflateEnd);
  }
  void set(std::string_view from, std::string& to) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(from.data()));  // zlib's C interface; it only reads
    stream_.avail_in = static_cast<uInt>(from.size());
    set_out(to);
  }
  void set_out(std::string& to) {
    stream_.next_out = reinterpret_cast<Bytef*>(to.data());
    stream_.avail_out = static_cast<uInt>(to.size());
  }
  z_stream& get() { return stream_; }

 private:
  bool start(int code, int (*end)(z_stream*)) {
    end_ = code == Z_OK ? end : nullptr;
    return code == Z_OK;
  }
  z_stream stream_{};
  int (*end_)(z_stream*) = nullptr;
};

/// Inflates in pieces. The directory's size is only a claim: data that cannot become that many bytes are refused before they cost
/// anything, and data that become more are stopped there. Deflate gives at most 1032 bytes for one.
Status inflate(std::string_view packed, std::uint64_t size, const ZipReader::Sink& sink) {
  constexpr std::size_t kMaxRatio = 1032;
  if (size / kMaxRatio > packed.size())
    return corrupt(fmt::format("found {} bytes that claim to become {}, expected at most {} for one", packed.size(), size, kMaxRatio));
  Stream stream;
  if (!stream.begin_inflate()) return fail(ErrorCode::kResourceExhausted, "found no memory for the decompressor, expected 64 kB");
  std::string piece(std::min<std::uint64_t>(kPiece, size + 1), '\0');  // one byte more, to see what should not be there
  stream.set(packed, piece);
  std::uint64_t total = 0;
  int code = Z_OK;
  while (code == Z_OK) {
    stream.set_out(piece);
    code = ::inflate(&stream.get(), Z_NO_FLUSH);
    const std::size_t made = piece.size() - stream.get().avail_out;
    total += made;
    if (total > size || (code == Z_OK && made == 0)) break;
    if (code == Z_OK || code == Z_STREAM_END) MORU_RETURN_IF_ERROR(sink(std::string_view(piece).substr(0, made)));
  }
  if (code != Z_STREAM_END || total != size || stream.get().avail_in != 0)
    return corrupt(fmt::format("found damaged data, expected {} bytes that become {}", packed.size(), size));
  return {};
}

Result<std::string> deflate(std::string_view contents) {
  Stream stream;
  if (!stream.begin_deflate()) return fail(ErrorCode::kResourceExhausted, "found no memory for the compressor, expected 300 kB");
  std::string out(::deflateBound(&stream.get(), contents.size()), '\0');
  stream.set(contents, out);
  if (::deflate(&stream.get(), Z_FINISH) != Z_STREAM_END) return fail(ErrorCode::kInternal, "deflate: found no end, expected one");
  out.resize(out.size() - stream.get().avail_out);
  return out;
}

std::uint32_t checksum_of(std::string_view bytes, std::uint32_t before = 0) {
  return static_cast<std::uint32_t>(::crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

/// Parts that lie in one another make small files grow without end.
Status check_overlap(std::vector<std::pair<std::size_t, std::size_t>> parts) {
  std::ranges::sort(parts);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    if (parts[i].first < parts[i - 1].second)
      return corrupt(fmt::format("found two entries that share byte {}, expected each to lie apart", parts[i].first));
  }
  return {};
}

void put_common(std::string& out, const ZipEntry& entry, std::size_t packed, bool compress) {
  const bool ascii = std::ranges::all_of(entry.name, [](unsigned char c) { return c < 0x80; });
  put16(out, kVersion);
  put16(out, ascii ? 0 : kUtf8);
  put16(out, compress ? kDeflated : kStored);
  put16(out, 0);
  put16(out, kDate);
  put32(out, checksum_of(entry.contents));
  put32(out, packed);
  put32(out, entry.contents.size());
  put16(out, entry.name.size());
  put16(out, 0);  // no extra field
}

Status check_entries(std::span<const ZipEntry> entries) {
  if (entries.size() > kMaxEntries)
    return fail(ErrorCode::kUnsupported, fmt::format("found {} entries, expected at most {}", entries.size(), kMaxEntries));
  std::set<std::string_view> names;
  for (const ZipEntry& entry : entries) {
    const auto status = check_name(entry.name);
    if (!status) return fail(ErrorCode::kInvalidArgument, status.error().message);
    if (entry.name.size() > 0xFFFF || !names.insert(entry.name).second)
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("found the name {}, expected one that is shorter and new", in_quotes(entry.name)));
    if (entry.contents.size() >= kInZip64)
      return fail(ErrorCode::kUnsupported,
                  fmt::format("entry {}: found {} bytes, expected less than 4 GiB", in_quotes(entry.name), entry.contents.size()));
  }
  return {};
}

}  // namespace

Result<ZipReader> ZipReader::open(std::string_view bytes) {
  if (bytes.size() >= kInZip64) return fail(ErrorCode::kUnsupported, fmt::format("found {} bytes, expected less than 4 GiB", bytes.size()));
  std::size_t directory = 0;
  MORU_ASSIGN_OR_RETURN(const std::vector<Row> rows, read_directory(bytes, &directory));
  ZipReader reader;
  std::vector<std::pair<std::size_t, std::size_t>> parts;
  for (const Row& row : rows) {
    MORU_ASSIGN_OR_RETURN(const std::size_t data, find_data(bytes, row, directory));
    reader.members_.push_back({row.name, row.size});
    reader.places_.push_back({row.method, row.checksum, bytes.substr(data, row.packed)});
    parts.emplace_back(row.local, data + row.packed);
  }
  MORU_RETURN_IF_ERROR(check_overlap(std::move(parts)));
  return reader;
}

Status ZipReader::unpack(const Place& place, std::uint64_t size, const Sink& sink) const {
  if (place.method == kDeflated) return inflate(place.packed, size, sink);
  if (place.packed.size() != size) return corrupt(fmt::format("found {} bytes stored, expected {}", place.packed.size(), size));
  for (std::size_t at = 0; at < size; at += kPiece) MORU_RETURN_IF_ERROR(sink(place.packed.substr(at, kPiece)));
  return {};
}

Status ZipReader::extract(std::size_t index, const Sink& sink) const {
  const Place& place = places_[index];
  std::uint32_t checksum = 0;
  const auto counted = [&](std::string_view piece) {
    checksum = checksum_of(piece, checksum);
    return sink(piece);
  };
  const std::string where = "entry " + in_quotes(members_[index].name);
  MORU_RETURN_IF_ERROR_IN(where, unpack(place, members_[index].size, counted));
  if (checksum == place.checksum) return {};
  return corrupt(where + ": found another checksum than the directory's, expected the same; the file is damaged");
}

Result<std::vector<ZipEntry>> read_zip(std::string_view bytes, std::uint64_t max_bytes) {
  MORU_ASSIGN_OR_RETURN(const ZipReader reader, ZipReader::open(bytes));
  std::uint64_t total = 0;
  for (const auto& member : reader.members()) total += member.size;
  if (total > max_bytes)
    return fail(ErrorCode::kResourceExhausted, fmt::format("found {} bytes of contents, expected at most {}", total, max_bytes));
  std::vector<ZipEntry> entries;
  for (std::size_t i = 0; i < reader.members().size(); ++i) {
    ZipEntry entry{std::string(reader.members()[i].name), ""};
    MORU_RETURN_IF_ERROR(reader.extract(i, [&](std::string_view piece) {
      entry.contents += piece;
      return Status();
    }));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::string> write_zip(std::span<const ZipEntry> entries, bool compress) {
  MORU_RETURN_IF_ERROR(check_entries(entries));
  std::string out;
  std::string directory;
  for (const ZipEntry& entry : entries) {
    std::string packed;
    if (compress) {
      MORU_ASSIGN_OR_RETURN(packed, deflate(entry.contents));
    }
    const std::string_view data = compress ? std::string_view(packed) : std::string_view(entry.contents);
    put32(directory, kCentralMagic);
    put16(directory, kVersion);  // made by: 2.0 on a file system like FAT's
    put_common(directory, entry, data.size(), compress);
    put16(directory, 0);  // no comment
    put16(directory, 0);  // disk
    put16(directory, 0);  // attributes
    put32(directory, 0);
    put32(directory, out.size());
    directory += entry.name;
    put32(out, kLocalMagic);
    put_common(out, entry, data.size(), compress);
    out.append(entry.name).append(data);
    if (out.size() + directory.size() + kEndSize >= kInZip64)
      return fail(ErrorCode::kUnsupported, fmt::format("found {} bytes, expected less than 4 GiB in one archive", out.size()));
  }
  const std::size_t start = out.size();
  out += directory;
  put32(out, kEndMagic);
  put32(out, 0);  // disks
  put16(out, entries.size());
  put16(out, entries.size());
  put32(out, directory.size());
  put32(out, start);
  put16(out, 0);  // no comment
  return out;
}

}  // namespace moru
