// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/modbus_fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <string_view>
#include <tuple>
#include <utility>

namespace moru::edge {
namespace {

// The most that one answer holds: Modbus Application Protocol 1.1b3, 6.1 to 6.4.
constexpr std::size_t kMostWords = 125;
constexpr std::size_t kMostBits = 2000;

constexpr std::array<std::pair<std::string_view, ModbusTable>, 4> kTables = {{{"holding", ModbusTable::kHolding},
                                                                              {"input", ModbusTable::kInput},
                                                                              {"coils", ModbusTable::kCoils},
                                                                              {"discrete", ModbusTable::kDiscrete}}};
constexpr std::array<std::pair<std::string_view, ModbusType>, 7> kTypes = {{{"int16", ModbusType::kInt16},
                                                                            {"uint16", ModbusType::kUint16},
                                                                            {"int32", ModbusType::kInt32},
                                                                            {"uint32", ModbusType::kUint32},
                                                                            {"float32", ModbusType::kFloat32},
                                                                            {"int64", ModbusType::kInt64},
                                                                            {"float64", ModbusType::kFloat64}}};

template <class T, std::size_t N>
T named(const std::array<std::pair<std::string_view, T>, N>& table, std::string_view name) {
  return std::ranges::find(table, name, &std::pair<std::string_view, T>::first)->second;
}

bool holds_bits(ModbusTable table) { return table == ModbusTable::kCoils || table == ModbusTable::kDiscrete; }
bool is_float(ModbusType type) { return type == ModbusType::kFloat32 || type == ModbusType::kFloat64; }

Result<ModbusField> read_field(const std::string& name, const ConfigObject& object) {
  ModbusField field{.spec = {.name = name}};
  std::string table = "holding";
  std::string type = "uint16";
  std::string order = "abcd";
  std::int64_t address = 0;
  std::int64_t every = 1;
  ConfigReader reader(object);
  reader.choice("table", &table, {"holding", "input", "coils", "discrete"});
  reader.required("address", &address, {.min = 0, .max = 65535});
  reader.optional("every", &every, {.min = 1, .max = 1e9});
  field.table = named(kTables, table);
  if (holds_bits(field.table)) {
    field.type = ModbusType::kBit;
  } else {
    reader.choice("type", &type, {"int16", "uint16", "int32", "uint32", "float32", "int64", "float64"});
    reader.choice("order", &order, {"abcd", "cdab", "badc", "dcba"});
    reader.optional("scale", &field.scale, {.min = -1e12, .max = 1e12});
    reader.optional("offset", &field.offset, {.min = -1e15, .max = 1e15});
    reader.optional("unit", &field.spec.unit);
  }
  MORU_RETURN_IF_ERROR(reader.finish());
  if (!holds_bits(field.table)) field.type = named(kTypes, type);
  field.low_word_first = order == "cdab" || order == "dcba";
  field.swap_bytes = order == "badc" || order == "dcba";
  field.address = static_cast<std::uint16_t>(address);
  field.every = static_cast<std::uint64_t>(every);
  if (!is_float(field.type) && field.scale == 1.0 && field.offset == 0.0) field.spec.type = FieldType::kInt64;
  if (address + static_cast<std::int64_t>(field.words()) > 65536) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found {} at address {}, expected that it ends at 65535 or before", object.where(), type, address));
  }
  return field;
}

}  // namespace

std::size_t ModbusField::words() const {
  switch (type) {
    case ModbusType::kBit:
    case ModbusType::kInt16:
    case ModbusType::kUint16: return 1;
    case ModbusType::kInt32:
    case ModbusType::kUint32:
    case ModbusType::kFloat32: return 2;
    case ModbusType::kInt64:
    case ModbusType::kFloat64: return 4;
  }
  return 1;
}

Result<std::vector<ModbusField>> read_modbus_fields(const ConfigObject& object) {
  std::vector<ModbusField> fields;
  for (const auto& name : object.keys()) {
    const auto value = object.find(name);
    if (name.find('.') != std::string::npos || !value->is_map()) {
      return fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{}: found field '{}', expected a name without a dot and {{table: ..., address: ..., ...}}", value->where(), name));
    }
    MORU_ASSIGN_OR_RETURN_IN(fmt::format("field '{}'", name), auto field, read_field(name, *value));
    fields.push_back(std::move(field));
  }
  if (fields.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: {}, expected a map of fields: {{temperature: {{address: 100}}}}", object.where(), object.found()));
  }
  return fields;
}

std::vector<ModbusBlock> modbus_blocks(const std::vector<ModbusField>& fields) {
  std::vector<const ModbusField*> sorted;
  for (const auto& field : fields) sorted.push_back(&field);
  std::ranges::sort(sorted, {}, [](const ModbusField* field) { return std::tuple(field->table, field->every, field->address, field); });
  std::vector<ModbusBlock> blocks;
  for (const ModbusField* field : sorted) {
    const std::size_t end = field->address + field->words();
    const std::size_t most = holds_bits(field->table) ? kMostBits : kMostWords;
    ModbusBlock* const last = blocks.empty() ? nullptr : &blocks.back();
    // What lies between two fields is not read: a server may refuse a request for one word that it does not have.
    const bool joins = last != nullptr && last->table == field->table && last->every == field->every &&
                       field->address <= last->address + last->count && end - last->address <= most;
    if (joins) {
      last->count = std::max(last->count, end - last->address);
      last->fields.push_back(field);
    } else {
      blocks.push_back({field->table, field->address, field->words(), field->every, {field}});
    }
  }
  return blocks;
}

bool set_modbus_value(const ModbusField& field, std::span<const std::uint16_t> words, Item& item) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::uint16_t word = words[field.low_word_first ? words.size() - 1 - i : i];
    if (field.swap_bytes) word = std::byteswap(word);
    bits = (bits << 16U) | word;
  }
  if (is_float(field.type)) {
    const double number =
        field.type == ModbusType::kFloat32 ? double{std::bit_cast<float>(static_cast<std::uint32_t>(bits))} : std::bit_cast<double>(bits);
    const double value = number * field.scale + field.offset;
    if (!std::isfinite(value)) return false;
    item.set(field.spec.name, value);
    return true;
  }
  auto integer = static_cast<std::int64_t>(bits);
  if (field.type == ModbusType::kInt16) integer = static_cast<std::int16_t>(bits);
  if (field.type == ModbusType::kInt32) integer = static_cast<std::int32_t>(bits);
  if (field.spec.type == FieldType::kInt64) {
    item.set(field.spec.name, integer);
  } else {
    item.set(field.spec.name, static_cast<double>(integer) * field.scale + field.offset);
  }
  return true;
}

}  // namespace moru::edge
