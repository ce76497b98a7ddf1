// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/item_bytes.h"

#include <fmt/format.h>

#include <bit>
#include <span>

#include "edge/streams/outbox_segment.h"

namespace moru::edge {
namespace {

constexpr std::uint8_t kVersion = 1;

void put_text(std::string& out, std::string_view text) {
  put_u32(out, static_cast<std::uint32_t>(text.size()));
  out.append(text);
}

void put_tensor(std::string& out, const model::Tensor& tensor) {
  out.push_back(static_cast<char>(tensor.dtype()));
  out.push_back(static_cast<char>(tensor.rank()));
  for (const std::int64_t extent : tensor.dims()) put_u64(out, static_cast<std::uint64_t>(extent));
  put_u64(out, tensor.size_bytes());
  out.append(reinterpret_cast<const char*>(tensor.bytes().data()), tensor.size_bytes());
}

/// Steps through bytes; once it has run over their end everything it gives is empty, and `failed` is set.
struct Cursor {
  std::string_view bytes;
  std::size_t at = 0;
  bool failed = false;

  std::string_view take(std::uint64_t size) {
    if (failed || size > bytes.size() - at) {
      failed = true;
      return {};
    }
    const auto taken = bytes.substr(at, static_cast<std::size_t>(size));
    at += taken.size();
    return taken;
  }
  std::uint8_t u8() {
    const auto taken = take(1);
    return taken.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(taken[0]);
  }
  std::uint32_t u32() {
    const auto taken = take(4);
    return taken.empty() ? 0 : get_u32(taken, 0);
  }
  std::uint64_t u64() {
    const auto taken = take(8);
    return taken.empty() ? 0 : get_u64(taken, 0);
  }
  std::string_view text() { return take(u32()); }
};

std::unexpected<Error> corrupt(const Cursor& cursor, std::string_view found, std::string_view expected) {
  return fail(ErrorCode::kCorrupt, fmt::format("item, byte {}: found {}, expected {}", cursor.at, found, expected));
}

Result<model::Tensor> read_tensor(Cursor& cursor) {
  const std::uint8_t dtype = cursor.u8();
  const std::uint8_t rank = cursor.u8();
  if (dtype > static_cast<std::uint8_t>(model::kLastDType))
    return corrupt(cursor, fmt::format("element type {}", dtype), fmt::format("at most {}", static_cast<int>(model::kLastDType)));
  model::Dims dims;
  for (std::uint8_t i = 0; i < rank; ++i) dims.push_back(static_cast<std::int64_t>(cursor.u64()));
  const auto bytes = cursor.take(cursor.u64());
  if (cursor.failed) return corrupt(cursor, "the end", "a tensor");
  auto tensor = model::Tensor::from_bytes(static_cast<model::DType>(dtype), std::move(dims), std::as_bytes(std::span(bytes)));
  if (!tensor && tensor.error().code != ErrorCode::kResourceExhausted) return corrupt(cursor, tensor.error().message, "a whole tensor");
  return tensor;
}

Status read_value(Cursor& cursor, FieldName name, std::uint8_t type, Item& item) {
  switch (static_cast<FieldType>(type)) {
    case FieldType::kInt64: item.set(name, static_cast<std::int64_t>(cursor.u64())); return {};
    case FieldType::kDouble: item.set(name, std::bit_cast<double>(cursor.u64())); return {};
    case FieldType::kText: item.set(name, cursor.text()); return {};
    case FieldType::kTensor: {
      MORU_ASSIGN_OR_RETURN(auto tensor, read_tensor(cursor));
      item.set(name, std::move(tensor));
      return {};
    }
  }
  return corrupt(cursor, fmt::format("field type {}", type), "0 to 3");
}

}  // namespace

void append_item_bytes(std::string& out, const Item& item) {
  out.push_back(static_cast<char>(kVersion));
  put_u64(out, item.sequence);
  put_u64(out, static_cast<std::uint64_t>(item.event_time));
  put_u32(out, static_cast<std::uint32_t>(item.fields.size()));
  for (const Field& field : item.fields) {
    out.push_back(static_cast<char>(field.type()));
    put_text(out, field.name().text());
    if (const auto* integer = field.integer()) {
      put_u64(out, static_cast<std::uint64_t>(*integer));
    } else if (const auto* number = field.number()) {
      put_u64(out, std::bit_cast<std::uint64_t>(*number));
    } else if (const auto text = field.text()) {
      put_text(out, *text);
    } else {
      put_tensor(out, *field.tensor());
    }
  }
}

Result<FieldName> ItemReader::name_of(std::string_view text) {
  if (const auto found = names_.find(text); found != names_.end()) return found->second;
  if (text.empty() || text.size() > kMaxNameBytes - name_bytes_) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("item: found a new field name of {} bytes after {} bytes of names, expected 1 to {} in all", text.size(),
                            name_bytes_, kMaxNameBytes));
  }
  name_bytes_ += text.size();
  return names_.emplace(std::string(text), FieldName(text)).first->second;
}

Result<Item> ItemReader::read(std::string_view bytes) {
  Cursor cursor{.bytes = bytes};
  if (const auto version = cursor.u8(); version != kVersion) return corrupt(cursor, fmt::format("version {}", version), "1");
  Item item;
  item.sequence = cursor.u64();
  item.event_time = static_cast<TimeNs>(cursor.u64());
  const std::uint32_t count = cursor.u32();
  if (cursor.failed || count > kMaxFields) return corrupt(cursor, fmt::format("{} fields", count), fmt::format("at most {}", kMaxFields));
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint8_t type = cursor.u8();
    const auto text = cursor.text();
    if (cursor.failed) return corrupt(cursor, "the end", fmt::format("{} more fields", count - i));
    MORU_ASSIGN_OR_RETURN(const FieldName name, name_of(text));
    MORU_RETURN_IF_ERROR(read_value(cursor, name, type, item));
    if (cursor.failed) return corrupt(cursor, "the end", fmt::format("the value of '{}'", text));
    if (item.fields.size() != i + 1) return corrupt(cursor, fmt::format("field '{}' twice", text), "it once");
  }
  if (cursor.at != bytes.size()) return corrupt(cursor, fmt::format("{} more bytes", bytes.size() - cursor.at), "the end");
  return item;
}

}  // namespace moru::edge
