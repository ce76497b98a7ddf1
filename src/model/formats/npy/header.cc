// SPDX-License-Identifier: Apache-2.0
#include "model/formats/npy/header.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/text.h"

namespace moru::model::npy {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeader = 64 * 1024;  // NumPy itself refuses more than 10,000 bytes unless told otherwise
constexpr std::size_t kMaxRank = 64;           // NumPy's, since 2.0
constexpr std::size_t kAlignment = 64;

struct TypeRow {
  DType dtype;
  std::string_view code;  ///< kind and size, as in "<f4"
  std::size_t size;       ///< bytes of an element
  std::size_t swapped;    ///< bytes that change places with the byte order
};
constexpr TypeRow kTypes[] = {
    {DType::kFloat32, "f4", 4, 4},   {DType::kFloat64, "f8", 8, 8},      {DType::kInt8, "i1", 1, 1},  {DType::kUInt8, "u1", 1, 1},
    {DType::kInt16, "i2", 2, 2},     {DType::kUInt16, "u2", 2, 2},       {DType::kInt32, "i4", 4, 4}, {DType::kUInt32, "u4", 4, 4},
    {DType::kInt64, "i8", 8, 8},     {DType::kUInt64, "u8", 8, 8},       {DType::kBool, "b1", 1, 1},  {DType::kFloat16, "f2", 2, 2},
    {DType::kComplex64, "c8", 8, 4}, {DType::kComplex128, "c16", 16, 8},
};

std::unexpected<Error> corrupt(std::string message) { return fail(ErrorCode::kCorrupt, std::move(message)); }

/// A reader of Python's literals, as far as headers have them.
class Literals {
 public:
  explicit Literals(std::string_view text) : text_(text) {}

  bool take(char c) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  /// Text in ' or ", without escapes: neither keys nor types have any.
  std::optional<std::string_view> take_string() {
    skip_blanks();
    if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return std::nullopt;
    const std::size_t end = text_.find(text_[at_], at_ + 1);
    if (end == text_.npos) return std::nullopt;
    const auto inside = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return inside;
  }
  std::optional<std::int64_t> take_extent() {
    skip_blanks();
    std::int64_t value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) return std::nullopt;
    at_ += static_cast<std::size_t>(end - begin);
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // as Python 2 wrote long integers
    return value;
  }
  bool at_end() {
    skip_blanks();
    return at_ == text_.size();
  }
  std::unexpected<Error> expected(std::string_view what) const {
    return corrupt(fmt::format("header: found {} at character {}, expected {}", in_quotes(text_.substr(at_)), at_, what));
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
  }
  std::string_view text_;
  std::size_t at_ = 0;
};

Result<Dims> read_shape(Literals& literals) {
  Dims dims;
  if (!literals.take('(')) return literals.expected("'(' of a shape");
  while (!literals.take(')')) {
    const auto extent = literals.take_extent();
    if (!extent) return literals.expected("an extent of 0 or more");
    dims.push_back(*extent);
    if (dims.size() > kMaxRank) return corrupt(fmt::format("header: found more than {} extents, expected at most that", kMaxRank));
    if (literals.take(',')) continue;
    if (!literals.take(')')) return literals.expected("',' or ')'");
    break;
  }
  return dims;
}

Status read_descr(std::string_view descr, Header* header) {
  const std::string_view code = descr.substr(std::min<std::size_t>(1, descr.size()));
  const char order = descr.empty() ? '\0' : descr.front();
  const auto* row = std::ranges::find(kTypes, code, &TypeRow::code);
  if (row == std::end(kTypes) || std::string_view("<>|=").find(order) == std::string_view::npos) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("header: found elements of type {}, expected numbers or booleans such as '<f4'", in_quotes(descr)));
  }
  header->dtype = row->dtype;
  header->size = row->size;
  header->swapped = row->swapped;
  header->big_endian = order == '>';
  return {};
}

Status read_entry(Literals& literals, std::string_view key, Header* header) {
  if (key == "descr") {
    const auto descr = literals.take_string();
    if (!descr && literals.take('['))
      return fail(ErrorCode::kUnsupported, "header: found records of several fields, expected elements of one type");
    if (!descr) return literals.expected("a type in quotes");
    return read_descr(*descr, header);
  }
  if (key == "fortran_order") {
    header->fortran_order = literals.take("True");
    if (!header->fortran_order && !literals.take("False")) return literals.expected("True or False");
    return {};
  }
  MORU_ASSIGN_OR_RETURN(header->dims, read_shape(literals));
  return {};
}

Status read_dictionary(std::string_view text, Header* header) {
  Literals literals(text);
  std::vector<std::string_view> seen;
  if (!literals.take('{')) return literals.expected("'{'");
  while (!literals.take('}')) {
    const auto key = literals.take_string();
    const bool known = key && (*key == "descr" || *key == "fortran_order" || *key == "shape");
    if (!known || std::ranges::find(seen, *key) != seen.end()) return literals.expected("one each of 'descr', 'fortran_order', 'shape'");
    seen.push_back(*key);
    if (!literals.take(':')) return literals.expected("':'");
    MORU_RETURN_IF_ERROR(read_entry(literals, *key, header));
    if (literals.take(',')) continue;
    if (!literals.take('}')) return literals.expected("',' or '}'");
    break;
  }
  if (seen.size() != 3) return corrupt(fmt::format("header: found {} entries, expected 'descr', 'fortran_order' and 'shape'", seen.size()));
  if (!literals.at_end()) return literals.expected("nothing after '}'");
  return {};
}

std::string shape_text(const Dims& dims) {
  std::string out = "(";
  for (std::size_t i = 0; i < dims.size(); ++i) out += fmt::format("{}{}", i == 0 ? "" : ", ", dims[i]);
  return out + (dims.size() == 1 ? ",)" : ")");
}

}  // namespace

Result<Header> read_header(std::string_view file) {
  if (!file.starts_with(kMagic)) return corrupt("found no '\\x93NUMPY' at the beginning, expected a .npy file");
  const auto byte = [&](std::size_t at) { return std::size_t{static_cast<unsigned char>(file[at])}; };
  const std::size_t size_at = kMagic.size() + 2;
  if (file.size() < size_at + 4) return corrupt(fmt::format("found {} bytes, expected a header; the file is cut short", file.size()));
  const std::size_t major = byte(kMagic.size());
  const std::size_t minor = byte(kMagic.size() + 1);
  if (major < 1 || major > 3 || minor != 0)
    return fail(ErrorCode::kUnsupported, fmt::format("found format version {}.{}, expected 1.0, 2.0 or 3.0", major, minor));
  std::size_t size = byte(size_at) | byte(size_at + 1) << 8U;
  if (major > 1) size |= byte(size_at + 2) << 16U | byte(size_at + 3) << 24U;
  const std::size_t begin = size_at + (major > 1 ? 4 : 2);
  if (size > kMaxHeader) return corrupt(fmt::format("found a header of {} bytes, expected at most {}", size, kMaxHeader));
  if (file.size() - begin < size)
    return corrupt(
        fmt::format("found {} bytes after the version, expected a header of {}; the file is cut short", file.size() - begin, size));
  Header header;
  MORU_RETURN_IF_ERROR(read_dictionary(file.substr(begin, size), &header));
  header.data_offset = begin + size;
  return header;
}

Result<std::string> write_header(const Tensor& tensor) {
  const auto* row = std::ranges::find(kTypes, tensor.dtype(), &TypeRow::dtype);
  if (row == std::end(kTypes) || tensor.rank() > kMaxRank) {
    return fail(ErrorCode::kUnsupported, fmt::format("write NPY: found {}{}, expected a type and a rank that NumPy has",
                                                     to_string(tensor.dtype()), to_string(tensor.dims())));
  }
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': {}, }}", row->size == 1 ? '|' : '<', row->code,
                                 shape_text(tensor.dims()));
  const std::size_t prefix = kMagic.size() + 4;
  const std::size_t padded = (prefix + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  text.append(padded - prefix - text.size() - 1, ' ').push_back('\n');
  std::string out(kMagic);
  out += {'\x01', '\x00', static_cast<char>(text.size() & 0xFFU), static_cast<char>(text.size() >> 8U)};
  return out + text;
}

}  // namespace moru::model::npy
