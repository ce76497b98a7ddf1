// SPDX-License-Identifier: Apache-2.0
// An item as bytes, tensors included: what lies on disk of it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/result.h"
#include "edge/streams/item.h"

namespace moru::edge {

/// Appends the bytes of the item, the same for the same item; its receipt and the time at which it was emitted (monotonic: it
/// means nothing elsewhere) are left out. Little-endian:
///
///   item    u8 version, 1 | u64 sequence | i64 event time | u32 fields | field ...
///   field   u8 type (FieldType) | u32 name size | name | value
///   value   int64: i64 | double: u64, its bits | text: u32 size | bytes
///           tensor: u8 dtype (DType) | u8 rank | rank x i64 | u64 size | bytes, as Tensor has them
void append_item_bytes(std::string& out, const Item& item);

/// Reads items back; the bytes may be any. It keeps the names of fields that it has seen, at most so many that bytes from outside
/// cannot fill the process's table of names. Threads: one at a time.
class ItemReader {
 public:
  static constexpr std::size_t kMaxFields = 4096;         ///< of an item
  static constexpr std::size_t kMaxNameBytes = 1U << 20;  ///< of all names that one reader has seen
  /// All of `bytes` must be one item. Errors: kCorrupt, with the place; kResourceExhausted when memory is not to be had.
  Result<Item> read(std::string_view bytes);

 private:
  struct Hash {
    using is_transparent = void;  // NOLINT(readability-identifier-naming): the standard asks for it by this name
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  Result<FieldName> name_of(std::string_view text);
  std::unordered_map<std::string, FieldName, Hash, std::equal_to<>> names_;
  std::size_t name_bytes_ = 0;
};

}  // namespace moru::edge
