// SPDX-License-Identifier: Apache-2.0
#include "model/formats/onnx/skeleton.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/message_lite.h>

#include <cstring>
#include <optional>

#include "model/graph/graph.h"

namespace moru::model::onnx {
namespace {

// Wire types (protobuf.dev, "Encoding").
constexpr unsigned kVarint = 0;
constexpr unsigned kFixed64 = 1;
constexpr unsigned kBytes = 2;
constexpr unsigned kFixed32 = 5;

// What protobuf and the graph made of it take for a message, and for a field beside its bytes: measured on empty nodes
// (about 400 bytes each, the graph's node included) and on lists of names (about 100), rounded up.
constexpr std::uint64_t kMessageCost = 512;
constexpr std::uint64_t kFieldCost = 128;

struct Child {
  MessageKind parent;
  std::uint64_t field;
  MessageKind kind;
};
// From onnx.proto. training_info, which holds graphs too, is left out of the skeleton: it is not read.
constexpr Child kChildren[] = {
    {MessageKind::kModel, 7, MessageKind::kGraph},
    {MessageKind::kModel, 25, MessageKind::kFunction},
    {MessageKind::kGraph, 1, MessageKind::kNode},
    {MessageKind::kGraph, 5, MessageKind::kTensor},
    {MessageKind::kGraph, 15, MessageKind::kSparseTensor},
    {MessageKind::kNode, 5, MessageKind::kAttribute},
    {MessageKind::kAttribute, 5, MessageKind::kTensor},
    {MessageKind::kAttribute, 6, MessageKind::kGraph},
    {MessageKind::kAttribute, 10, MessageKind::kTensor},
    {MessageKind::kAttribute, 11, MessageKind::kGraph},
    {MessageKind::kAttribute, 22, MessageKind::kSparseTensor},
    {MessageKind::kAttribute, 23, MessageKind::kSparseTensor},
    {MessageKind::kSparseTensor, 1, MessageKind::kTensor},
    {MessageKind::kSparseTensor, 2, MessageKind::kTensor},
    {MessageKind::kFunction, 7, MessageKind::kNode},
    {MessageKind::kFunction, 11, MessageKind::kAttribute},
};
constexpr std::uint64_t kTrainingInfo = 20;

std::optional<MessageKind> child_of(MessageKind parent, std::uint64_t field) {
  for (const Child& child : kChildren) {
    if (child.parent == parent && child.field == field) return child.kind;
  }
  return std::nullopt;
}

std::optional<DataField> data_field(std::uint64_t field) {
  switch (field) {
    case 4:
    case 5:
    case 7:
    case 9:
    case 10:
    case 11: return static_cast<DataField>(field);
    default: return std::nullopt;
  }
}

struct Field {
  std::uint64_t number = 0;
  unsigned wire = 0;
  std::string_view whole;    ///< with its key
  std::string_view content;  ///< of kBytes: what its length counts
};

/// Walks over the fields of a message.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}
  bool at_end() const { return at_ == bytes_.size(); }

  Result<Field> next() {
    Field field;
    const std::size_t start = at_;
    MORU_ASSIGN_OR_RETURN(const std::uint64_t key, varint());
    field.number = key >> 3U;
    field.wire = static_cast<unsigned>(key & 7U);
    if (field.number == 0 || field.number > 0x1FFFFFFF) return bad("a field without number");
    switch (field.wire) {
      case kVarint: MORU_RETURN_IF_ERROR(varint()); break;
      case kFixed64: MORU_RETURN_IF_ERROR(skip(8)); break;
      case kFixed32: MORU_RETURN_IF_ERROR(skip(4)); break;
      case kBytes: {
        MORU_ASSIGN_OR_RETURN(const std::uint64_t size, varint());
        const std::size_t from = at_;
        MORU_RETURN_IF_ERROR(skip(size));
        field.content = bytes_.substr(from, size);
        break;
      }
      default: return bad("a field of an unknown kind");
    }
    field.whole = bytes_.substr(start, at_ - start);
    return field;
  }

 private:
  static std::unexpected<Error> bad(std::string_view what) {
    return fail(ErrorCode::kCorrupt, fmt::format("found {}, which is not ONNX, expected ONNX's format", what));
  }

  Result<std::uint64_t> varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (at_ == bytes_.size()) return bad("the end within a number");
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      if (shift < 64) value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    return bad("a number of more than 10 bytes");
  }

  Status skip(std::uint64_t size) {
    if (size > bytes_.size() - at_) return bad(fmt::format("{} bytes where {} should be", bytes_.size() - at_, size));
    at_ += size;
    return {};
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
};

void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80U);
    value >>= 7U;
  }
  out += static_cast<char>(value);
}

void append_bytes_field(std::string& out, std::uint64_t number, std::string_view content) {
  append_varint(out, number << 3U | kBytes);
  append_varint(out, content.size());
  out += content;
}

class Parting {
 public:
  explicit Parting(ReadBudget& budget) : budget_(budget) {}

  Result<std::string> message(std::string_view bytes, MessageKind kind, int graphs) {
    if (kind == MessageKind::kGraph && graphs > kMaxGraphDepth) {
      return fail(ErrorCode::kResourceExhausted,
                  fmt::format("found graphs more than {} deep in one another, expected at most that", kMaxGraphDepth));
    }
    MORU_RETURN_IF_ERROR(budget_.take(kMessageCost));
    if (kind == MessageKind::kTensor) return tensor(bytes);
    std::string out;
    Fields fields(bytes);
    while (!fields.at_end()) {
      MORU_ASSIGN_OR_RETURN(const Field field, fields.next());
      const auto child = field.wire == kBytes ? child_of(kind, field.number) : std::nullopt;
      if (kind == MessageKind::kModel && field.number == kTrainingInfo) continue;
      if (!child) {
        MORU_RETURN_IF_ERROR(copy(field, out));
        continue;
      }
      MORU_ASSIGN_OR_RETURN(const std::string inner, message(field.content, *child, graphs + (*child == MessageKind::kGraph ? 1 : 0)));
      append_bytes_field(out, field.number, inner);
    }
    return out;
  }

  std::vector<Payload> take_payloads() { return std::move(payloads_); }

 private:
  /// What no payload is counts twice: in the skeleton, and in protobuf's message.
  Status copy(const Field& field, std::string& out) {
    MORU_RETURN_IF_ERROR(budget_.take(kFieldCost + 2 * field.whole.size()));
    out += field.whole;
    return {};
  }

  Result<std::string> tensor(std::string_view bytes) {
    MORU_ASSIGN_OR_RETURN(const bool one, has_one_payload(bytes));
    std::string out;
    Fields fields(bytes);
    while (!fields.at_end()) {
      MORU_ASSIGN_OR_RETURN(const Field field, fields.next());
      const auto data = field.wire == kBytes ? data_field(field.number) : std::nullopt;
      if (data && one) {
        std::string index(1 + sizeof(std::uint64_t), Skeleton::kLocated);
        const std::uint64_t value = payloads_.size();
        std::memcpy(index.data() + 1, &value, sizeof(value));
        append_bytes_field(out, static_cast<std::uint64_t>(DataField::kRaw), index);
        payloads_.push_back({*data, field.content});
      } else if (data == DataField::kRaw) {
        MORU_RETURN_IF_ERROR(budget_.take(kFieldCost + 3 * field.whole.size()));
        append_bytes_field(out, field.number, Skeleton::kInline + std::string(field.content));
      } else if (data) {
        // A varint of one byte becomes a number of 8.
        MORU_RETURN_IF_ERROR(budget_.take(kFieldCost + 10 * field.whole.size()));
        out += field.whole;
      } else {
        MORU_RETURN_IF_ERROR(copy(field, out));
      }
    }
    return out;
  }

  /// The usual tensor has its numbers in one piece. Others (numbers one by one, or in several pieces) protobuf puts together.
  static Result<bool> has_one_payload(std::string_view bytes) {
    int pieces = 0;
    bool loose = false;
    Fields fields(bytes);
    while (!fields.at_end()) {
      MORU_ASSIGN_OR_RETURN(const Field field, fields.next());
      if (!data_field(field.number)) continue;
      ++pieces;
      loose = loose || field.wire != kBytes;
    }
    return pieces == 1 && !loose;
  }

  ReadBudget& budget_;
  std::vector<Payload> payloads_;
};

}  // namespace

Status ReadBudget::take(std::uint64_t bytes) {
  if (bytes > limit_ - taken_) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("found a model that takes more than {} bytes of memory, expected at most that; allow more", limit_));
  }
  taken_ += bytes;
  return {};
}

std::string_view name_of(DataField field) {
  switch (field) {
    case DataField::kFloat: return "float_data";
    case DataField::kInt32: return "int32_data";
    case DataField::kInt64: return "int64_data";
    case DataField::kRaw: return "raw_data";
    case DataField::kDouble: return "double_data";
    case DataField::kUInt64: return "uint64_data";
  }
  return "data";
}

Result<Skeleton> make_skeleton(std::string_view bytes, MessageKind kind, ReadBudget& budget) {
  Skeleton skeleton;
  Parting parting(budget);
  MORU_ASSIGN_OR_RETURN(skeleton.bytes, parting.message(bytes, kind, 0));
  skeleton.payloads = parting.take_payloads();
  return skeleton;
}

Status parse(std::string_view bytes, google::protobuf::MessageLite& message) {
  constexpr std::uint64_t kMostBytes = 0x7FFFFFFF;
  constexpr int kMostMessageDepth = 300;  // a little more than make_skeleton() takes
  if (bytes.size() > kMostBytes) {
    return fail(ErrorCode::kUnsupported, fmt::format("found {} bytes beside the tensors, expected less than 2 GiB", bytes.size()));
  }
  google::protobuf::io::CodedInputStream in(reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
  in.SetRecursionLimit(kMostMessageDepth);
  if (message.ParseFromCodedStream(&in) && in.ConsumedEntireMessage()) return {};
  return fail(ErrorCode::kCorrupt, fmt::format("found {} bytes that are not ONNX, expected ONNX's format", bytes.size()));
}

}  // namespace moru::model::onnx
