// SPDX-License-Identifier: Apache-2.0
#include "model/formats/idx.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

namespace moru::model {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 30U;  // what one gzip file may grow to: images of real data sets are 45 MiB
constexpr std::size_t kMaxRank = 4;
constexpr unsigned kUnsignedByte = 0x08;

/// A zlib stream that ends itself.
class Inflater {
 public:
  Inflater() { ready_ = ::inflateInit2(&stream_, 15 + 16) == Z_OK; }  // +16: a gzip header, nothing else
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready_) ::inflateEnd(&stream_);
  }
  bool ready() const { return ready_; }
  z_stream& stream() { return stream_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

/// Decompresses a gzip file of at most kMaxBytes, both compressed and not.
Result<std::string> gunzip(std::string_view bytes) {
  Inflater inflater;
  if (!inflater.ready()) return fail(ErrorCode::kResourceExhausted, "found no memory for the decompressor, expected 64 kB");
  z_stream& stream = inflater.stream();
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib's C interface; it only reads
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int code = Z_OK;
  while (code == Z_OK) {
    constexpr std::size_t kChunk = 256 * 1024;
    const std::size_t done = out.size();
    if (done > kMaxBytes)
      return fail(ErrorCode::kResourceExhausted, fmt::format("found more than {} bytes, expected at most that", kMaxBytes));
    out.resize(done + kChunk);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + done);
    stream.avail_out = static_cast<uInt>(kChunk);
    code = ::inflate(&stream, Z_NO_FLUSH);
    out.resize(done + kChunk - stream.avail_out);
  }
  if (code == Z_BUF_ERROR) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("found a gzip file that ends after {} bytes of content, expected more; it is cut short", out.size()));
  }
  if (code != Z_STREAM_END) {
    return fail(ErrorCode::kCorrupt, fmt::format("found damage after {} bytes of content ({}), expected a gzip file", out.size(),
                                                 stream.msg == nullptr ? "no more is known" : stream.msg));
  }
  if (stream.avail_in != 0)
    return fail(ErrorCode::kCorrupt, fmt::format("found {} bytes after the gzip file's end, expected none", stream.avail_in));
  return out;
}

std::uint32_t read_big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes.substr(0, 4)) value = (value << 8U) | static_cast<unsigned char>(c);
  return value;
}

Result<Tensor> parse_idx(std::string_view bytes) {
  if (bytes.size() < 4) return fail(ErrorCode::kCorrupt, fmt::format("found {} bytes, expected an IDX header of at least 4", bytes.size()));
  const std::uint32_t magic = read_big_endian(bytes);
  const unsigned type = (magic >> 8U) & 0xFFU;
  const std::size_t rank = magic & 0xFFU;
  if ((magic >> 16U) != 0)
    return fail(ErrorCode::kCorrupt, fmt::format("found 0x{:08x} at the beginning, expected 0x0000 of an IDX file", magic));
  if (type != kUnsignedByte) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("found elements of type 0x{:02x}, expected 0x{:02x} (unsigned bytes)", type, kUnsignedByte));
  }
  if (rank == 0 || rank > kMaxRank) return fail(ErrorCode::kUnsupported, fmt::format("found rank {}, expected 1 to {}", rank, kMaxRank));
  const std::size_t header = 4 + 4 * rank;
  if (bytes.size() < header)
    return fail(ErrorCode::kCorrupt, fmt::format("found {} bytes, expected a header of {}; the file is cut short", bytes.size(), header));
  Dims dims;
  for (std::size_t i = 0; i < rank; ++i) dims.push_back(read_big_endian(bytes.substr(4 + 4 * i)));
  MORU_ASSIGN_OR_RETURN_IN("extents " + to_string(dims), const std::int64_t count, element_count(dims, DType::kUInt8));
  const std::size_t found = bytes.size() - header;
  if (std::cmp_not_equal(found, count)) {
    return fail(ErrorCode::kCorrupt, fmt::format("found {} bytes of elements, expected {} for extents {}{}", found, count, to_string(dims),
                                                 std::cmp_less(found, count) ? "; the file is cut short" : ""));
  }
  return Tensor::from_bytes(DType::kUInt8, std::move(dims), std::as_bytes(std::span(bytes.substr(header))));
}

}  // namespace

Result<Tensor> load_idx(const Path& path) {
  MORU_ASSIGN_OR_RETURN(std::string bytes, read_file(path, kMaxBytes));
  const auto where = fmt::format("read '{}'", path.string());
  if (path.extension() == ".gz") {
    MORU_ASSIGN_OR_RETURN_IN(where, bytes, gunzip(bytes));
  }
  MORU_ASSIGN_OR_RETURN_IN(where, Tensor tensor, parse_idx(bytes));
  return tensor;
}

}  // namespace moru::model
