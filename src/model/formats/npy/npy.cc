// SPDX-License-Identifier: Apache-2.0
#include "model/formats/npy/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/text.h"
#include "core/zip.h"
#include "model/formats/npy/header.h"

namespace moru::model {
namespace {

constexpr std::string_view kSuffix = ".npy";

/// Copies columns-first data so that rows come first: a walk over the result in order, that steps through the source.
void copy_transposed(const std::byte* from, std::span<const std::int64_t> dims, std::size_t size, std::span<std::byte> to) {
  std::vector<std::size_t> strides(dims.size());
  std::size_t stride = size;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    strides[axis] = stride;
    stride *= static_cast<std::size_t>(dims[axis]);
  }
  std::vector<std::int64_t> index(dims.size(), 0);
  for (std::size_t out = 0; out < to.size(); out += size) {
    std::memcpy(to.data() + out, from, size);
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      from += strides[axis];
      if (++index[axis] < dims[axis]) break;
      from -= strides[axis] * static_cast<std::size_t>(dims[axis]);
      index[axis] = 0;
    }
  }
}

/// `data` has been checked to be as long as the header says.
Result<Tensor> make_tensor(const npy::Header& header, std::span<const std::byte> data) {
  if (!header.fortran_order && !header.big_endian) return Tensor::from_bytes(header.dtype, header.dims, data);
  std::vector<std::byte> bytes(data.begin(), data.end());
  if (header.fortran_order) copy_transposed(data.data(), header.dims, header.size, bytes);
  if (header.big_endian && header.swapped > 1) {
    for (auto at = bytes.begin(); at != bytes.end(); at += static_cast<std::ptrdiff_t>(header.swapped))
      std::reverse(at, at + static_cast<std::ptrdiff_t>(header.swapped));
  }
  return Tensor::from_bytes(header.dtype, header.dims, bytes);
}

Result<Tensor> parse_npy(std::string_view bytes) {
  MORU_ASSIGN_OR_RETURN(const npy::Header header, npy::read_header(bytes));
  MORU_ASSIGN_OR_RETURN(const std::int64_t count, element_count(header.dims, header.dtype));
  const std::size_t expected = static_cast<std::size_t>(count) * header.size;
  const std::size_t found = bytes.size() - header.data_offset;
  if (found != expected) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("found {} bytes of data, expected {} for {} {}{}", found, expected, to_string(header.dtype),
                            to_string(header.dims), found < expected ? "; the file is cut short" : ""));
  }
  return make_tensor(header, std::as_bytes(std::span(bytes.substr(header.data_offset))));
}

std::string reading(const Path& path) { return "read " + in_quotes(path.string()); }

}  // namespace

Result<Tensor> read_npy(std::string_view bytes, std::string_view where) {
  MORU_ASSIGN_OR_RETURN_IN(where, Tensor tensor, parse_npy(bytes));
  return tensor;
}

Result<Tensor> load_npy(const Path& path, const NpyOptions& options) {
  MORU_ASSIGN_OR_RETURN(const std::string bytes, read_file(path, options.max_bytes));
  return read_npy(bytes, reading(path));
}

Result<std::string> write_npy(const Tensor& tensor) {
  MORU_ASSIGN_OR_RETURN(std::string out, npy::write_header(tensor));
  const auto bytes = tensor.bytes();
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return out;
}

Status save_npy(const Tensor& tensor, const Path& path) {
  MORU_ASSIGN_OR_RETURN(const std::string bytes, write_npy(tensor));
  return write_file_atomic(path, bytes);
}

Result<std::vector<NamedTensor>> read_npz(std::string_view bytes, std::string_view where, const NpyOptions& options) {
  MORU_ASSIGN_OR_RETURN_IN(where, auto entries, read_zip(bytes, options.max_bytes));
  std::vector<NamedTensor> tensors;
  for (ZipEntry& entry : entries) {
    const auto entry_where = fmt::format("{}: entry {}", where, in_quotes(entry.name));
    if (!entry.name.ends_with(kSuffix))
      return fail(ErrorCode::kUnsupported, entry_where + ": found another file, expected .npy files only");
    MORU_ASSIGN_OR_RETURN(Tensor tensor, read_npy(entry.contents, entry_where));
    std::string().swap(entry.contents);  // half the memory
    entry.name.resize(entry.name.size() - kSuffix.size());
    tensors.push_back({std::move(entry.name), std::move(tensor)});
  }
  return tensors;
}

Result<std::vector<NamedTensor>> load_npz(const Path& path, const NpyOptions& options) {
  MORU_ASSIGN_OR_RETURN(const std::string bytes, read_file(path, options.max_bytes));
  return read_npz(bytes, reading(path), options);
}

Result<std::string> write_npz(std::span<const NamedTensor> tensors, bool compress) {
  std::vector<ZipEntry> entries;
  for (const NamedTensor& named : tensors) {
    if (named.name.empty()) return fail(ErrorCode::kInvalidArgument, "write NPZ: found a tensor without a name, expected one");
    MORU_ASSIGN_OR_RETURN_IN(in_quotes(named.name), std::string contents, write_npy(named.tensor));
    entries.push_back({named.name + std::string(kSuffix), std::move(contents)});
  }
  MORU_ASSIGN_OR_RETURN_IN("write NPZ", std::string bytes, write_zip(entries, compress));
  return bytes;
}

Status save_npz(std::span<const NamedTensor> tensors, const Path& path, bool compress) {
  MORU_ASSIGN_OR_RETURN(const std::string bytes, write_npz(tensors, compress));
  return write_file_atomic(path, bytes);
}

}  // namespace moru::model
