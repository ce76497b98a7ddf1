// SPDX-License-Identifier: Apache-2.0
#include "model/formats/tflite/options.h"

#include <flatbuffers/reflection_generated.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/text.h"
#include "tflite_fb/tflite_bfbs_generated.h"

namespace moru::model::tflite {
namespace {

using reflection::BaseType;

/// One field of an options table, as the schema describes it.
struct Field {
  std::string name;
  std::uint16_t slot = 0;
  BaseType type = BaseType::None;
  BaseType element = BaseType::None;              ///< of a vector
  const reflection::Enum* enumeration = nullptr;  ///< of numbers that have names
  std::int64_t fallback = 0;
  float fallback_real = 0;
  bool body = false;  ///< the number of a subgraph
};

const reflection::Schema& schema() {
  static const reflection::Schema* const parsed = reflection::GetSchema(fb::ModelBinarySchema::data());
  return *parsed;
}

Field field_of(const reflection::Field& field) {
  Field out{field.name()->str(), field.offset(), field.type()->base_type(), field.type()->element()};
  out.fallback = field.default_integer();
  out.fallback_real = static_cast<float>(field.default_real());
  out.body = out.name.find("subgraph") != std::string::npos;
  if (out.body && out.name.ends_with("_index")) out.name.resize(out.name.size() - 6);
  if (out.type >= BaseType::Bool && out.type <= BaseType::ULong && field.type()->index() >= 0)
    out.enumeration = schema().enums()->Get(static_cast<flatbuffers::uoffset_t>(field.type()->index()));
  return out;
}

using FieldTables = std::map<std::string, std::vector<Field>, std::less<>>;

FieldTables make_tables() {
  FieldTables tables;
  constexpr std::string_view kNamespace = "moru.tflite_fb.";
  for (const auto* object : *schema().objects()) {
    const std::string_view name = object->name()->string_view();
    MORU_CHECK(name.starts_with(kNamespace));
    auto& fields = tables[std::string(name.substr(kNamespace.size()))];
    for (const auto* field : *object->fields()) {
      if (!field->deprecated()) fields.push_back(field_of(*field));
    }
    std::ranges::sort(fields, {}, &Field::slot);
  }
  return tables;
}

const std::vector<Field>& fields_of(fb::BuiltinOptions type) {
  static const FieldTables tables = make_tables();
  static const std::vector<Field> none;
  const auto it = tables.find(fb::EnumNameBuiltinOptions(type));
  return type == fb::BuiltinOptions::NONE || it == tables.end() ? none : it->second;
}

std::string enumerators(const reflection::Enum& enumeration) {
  std::string out;
  for (const auto* value : *enumeration.values()) out += (out.empty() ? "" : ", ") + value->name()->str();
  return out;
}

std::int64_t integer_in(const flatbuffers::Table* table, const Field& field) {
  if (table == nullptr) return field.fallback;
  switch (field.type) {
    case BaseType::Bool:
    case BaseType::UByte: return table->GetField<std::uint8_t>(field.slot, static_cast<std::uint8_t>(field.fallback));
    case BaseType::Byte: return table->GetField<std::int8_t>(field.slot, static_cast<std::int8_t>(field.fallback));
    case BaseType::Int: return table->GetField<std::int32_t>(field.slot, static_cast<std::int32_t>(field.fallback));
    case BaseType::UInt: return table->GetField<std::uint32_t>(field.slot, static_cast<std::uint32_t>(field.fallback));
    default: return table->GetField<std::int64_t>(field.slot, field.fallback);
  }
}

Result<Attribute> read_vector(const flatbuffers::Table* table, const Field& field) {
  if (field.element == BaseType::Float) {
    const auto* values = table == nullptr ? nullptr : table->GetPointer<const flatbuffers::Vector<float>*>(field.slot);
    return values == nullptr ? Attribute(std::vector<float>()) : Attribute(std::vector<float>(values->begin(), values->end()));
  }
  MORU_CHECK(field.element == BaseType::Int);
  const auto* values = table == nullptr ? nullptr : table->GetPointer<const flatbuffers::Vector<std::int32_t>*>(field.slot);
  return values == nullptr ? Attribute(std::vector<std::int64_t>()) : Attribute(std::vector<std::int64_t>(values->begin(), values->end()));
}

Result<Attribute> read_field(const flatbuffers::Table* table, const Field& field, const ReadBody& read_body) {
  if (field.type == BaseType::Vector) return read_vector(table, field);
  if (field.type == BaseType::Float)
    return table == nullptr ? field.fallback_real : table->GetField<float>(field.slot, field.fallback_real);
  if (field.type == BaseType::String) {
    const auto* text = table == nullptr ? nullptr : table->GetPointer<const flatbuffers::String*>(field.slot);
    return text == nullptr ? std::string() : text->str();
  }
  const std::int64_t number = integer_in(table, field);
  if (field.body) {
    MORU_ASSIGN_OR_RETURN(Subgraph body, read_body(number));
    return Attribute(std::move(body));
  }
  if (field.type == BaseType::Bool && number > 1) return fail(ErrorCode::kCorrupt, fmt::format("found {}, expected 0 or 1", number));
  if (field.enumeration == nullptr) return number;
  const auto* value = field.enumeration->values()->LookupByKey(number);
  if (value == nullptr)
    return fail(ErrorCode::kCorrupt, fmt::format("found number {}, expected that of one of {}", number, enumerators(*field.enumeration)));
  return value->name()->str();
}

template <class T>
Result<const T*> value_as(const Attribute& attribute, std::string_view kind) {
  const T* value = std::get_if<T>(&attribute);
  if (value == nullptr) return fail(ErrorCode::kInvalidArgument, fmt::format("found an attribute of another type, expected {}", kind));
  return value;
}

/// What of a field stands outside of its table and must be written before it; and what stands inside.
struct Prepared {
  flatbuffers::Offset<void> offset;
  std::int64_t integer = 0;
  float real = 0;
};

template <class T>
Status check_range(std::int64_t value) {
  if (std::in_range<T>(value)) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("found {}, expected a number of {} bits", value, 8 * sizeof(T)));
}

Status check_range(const Field& field, std::int64_t value) {
  switch (field.type) {
    case BaseType::Bool:
      return value == 0 || value == 1 ? Status() : fail(ErrorCode::kInvalidArgument, fmt::format("found {}, expected 0 or 1", value));
    case BaseType::Byte: return check_range<std::int8_t>(value);
    case BaseType::UByte: return check_range<std::uint8_t>(value);
    case BaseType::Int: return check_range<std::int32_t>(value);
    case BaseType::UInt: return check_range<std::uint32_t>(value);
    default: return {};
  }
}

Result<Prepared> prepare_vector(flatbuffers::FlatBufferBuilder& builder, const Field& field, const Attribute& attribute) {
  Prepared out;
  if (field.element == BaseType::Float) {
    MORU_ASSIGN_OR_RETURN(const auto* values, value_as<std::vector<float>>(attribute, "floats"));
    if (!values->empty()) out.offset = builder.CreateVector(*values).Union();
    return out;
  }
  MORU_ASSIGN_OR_RETURN(const auto* values, value_as<std::vector<std::int64_t>>(attribute, "ints"));
  std::vector<std::int32_t> narrow;
  for (const std::int64_t value : *values) {
    MORU_RETURN_IF_ERROR(check_range<std::int32_t>(value));
    narrow.push_back(static_cast<std::int32_t>(value));
  }
  if (!narrow.empty()) out.offset = builder.CreateVector(narrow).Union();
  return out;
}

Result<Prepared> prepare_field(flatbuffers::FlatBufferBuilder& builder, const Field& field, const Attribute& attribute,
                               const WriteBody& write_body) {
  Prepared out;
  if (field.type == BaseType::Vector) return prepare_vector(builder, field, attribute);
  if (field.type == BaseType::String) {
    MORU_ASSIGN_OR_RETURN(const auto* text, value_as<std::string>(attribute, "a string"));
    out.offset = builder.CreateString(*text).Union();
  } else if (field.type == BaseType::Float) {
    MORU_ASSIGN_OR_RETURN(const auto* value, value_as<float>(attribute, "a float"));
    out.real = *value;
  } else if (field.body) {
    MORU_ASSIGN_OR_RETURN(const auto* body, value_as<Subgraph>(attribute, "a graph"));
    MORU_ASSIGN_OR_RETURN(out.integer, write_body(*body));
  } else if (field.enumeration != nullptr) {
    MORU_ASSIGN_OR_RETURN(const auto* text, value_as<std::string>(attribute, "a string"));
    const auto& values = *field.enumeration->values();
    const auto it = std::find_if(values.begin(), values.end(), [&](const auto* value) { return value->name()->string_view() == *text; });
    if (it == values.end())
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("found {}, expected one of {}", in_quotes(*text), enumerators(*field.enumeration)));
    out.integer = it->value();
  } else {
    MORU_ASSIGN_OR_RETURN(const auto* value, value_as<std::int64_t>(attribute, "an int"));
    MORU_RETURN_IF_ERROR(check_range(field, *value));
    out.integer = *value;
  }
  return out;
}

void add_field(flatbuffers::FlatBufferBuilder& builder, const Field& field, const Prepared& value) {
  switch (field.type) {
    case BaseType::Vector:
    case BaseType::String: builder.AddOffset(field.slot, value.offset); break;
    case BaseType::Float: builder.AddElement<float>(field.slot, value.real, field.fallback_real); break;
    case BaseType::Bool:
    case BaseType::UByte:
      builder.AddElement<std::uint8_t>(field.slot, static_cast<std::uint8_t>(value.integer), static_cast<std::uint8_t>(field.fallback));
      break;
    case BaseType::Byte:
      builder.AddElement<std::int8_t>(field.slot, static_cast<std::int8_t>(value.integer), static_cast<std::int8_t>(field.fallback));
      break;
    case BaseType::Int:
      builder.AddElement<std::int32_t>(field.slot, static_cast<std::int32_t>(value.integer), static_cast<std::int32_t>(field.fallback));
      break;
    case BaseType::UInt:
      builder.AddElement<std::uint32_t>(field.slot, static_cast<std::uint32_t>(value.integer), static_cast<std::uint32_t>(field.fallback));
      break;
    default: builder.AddElement<std::int64_t>(field.slot, value.integer, field.fallback); break;
  }
}

}  // namespace

std::string_view builtin_name(fb::BuiltinOperator builtin) { return fb::EnumNameBuiltinOperator(builtin); }

Result<fb::BuiltinOperator> builtin_of(std::string_view name) {
  for (const fb::BuiltinOperator one : fb::EnumValuesBuiltinOperator()) {
    if (builtin_name(one) == name && one != fb::BuiltinOperator::CUSTOM && one != fb::BuiltinOperator::PLACEHOLDER_FOR_GREATER_OP_CODES)
      return one;
  }
  return fail(ErrorCode::kUnsupported, fmt::format("found op {}, expected a builtin op of TFLite", in_quotes(name)));
}

Result<Attributes> read_options(fb::BuiltinOptions type, const flatbuffers::Table* table, const ReadBody& read_body) {
  Attributes out;
  for (const Field& field : fields_of(type)) {
    MORU_ASSIGN_OR_RETURN_IN(fmt::format("option '{}'", field.name), Attribute value, read_field(table, field, read_body));
    out.emplace(field.name, std::move(value));
  }
  return out;
}

Result<flatbuffers::Offset<void>> write_options(flatbuffers::FlatBufferBuilder& builder, fb::BuiltinOptions type,
                                                const Attributes& attributes, const WriteBody& write_body) {
  const auto& fields = fields_of(type);
  for (const auto& [name, attribute] : attributes) {
    if (std::ranges::find(fields, name, &Field::name) == fields.end()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("attribute {}: found an unknown one, expected one of {}", in_quotes(name), fb::EnumNameBuiltinOptions(type)));
    }
  }
  if (type == fb::BuiltinOptions::NONE) return flatbuffers::Offset<void>();
  std::vector<std::optional<Prepared>> values;
  for (const Field& field : fields) {
    const auto it = attributes.find(field.name);
    values.emplace_back();
    if (it == attributes.end()) continue;
    MORU_ASSIGN_OR_RETURN_IN(fmt::format("attribute '{}'", field.name), values.back(),
                             prepare_field(builder, field, it->second, write_body));
  }
  const auto start = builder.StartTable();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (values[i]) add_field(builder, fields[i], *values[i]);
  }
  return flatbuffers::Offset<void>(builder.EndTable(start));
}

}  // namespace moru::model::tflite
