// SPDX-License-Identifier: Apache-2.0
// Which values of a Modbus server are read, how its words become numbers, and in how few requests.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/config.h"
#include "edge/streams/modbus_link.h"
#include "edge/streams/schema.h"

namespace moru::edge {

enum class ModbusType : std::uint8_t { kBit, kInt16, kUint16, kInt32, kUint32, kFloat32, kInt64, kFloat64 };

struct ModbusField {
  FieldSpec spec;
  ModbusTable table = ModbusTable::kHolding;
  std::uint16_t address = 0;
  ModbusType type = ModbusType::kUint16;
  bool low_word_first = false;
  bool swap_bytes = false;  ///< of each word
  double scale = 1.0;
  double offset = 0.0;
  std::uint64_t every = 1;  ///< it is read in one poll of so many

  std::size_t words() const;
};

/// Reads `fields: {NAME: {table: holding, address: 100, type: float32, ...}}`; each mistake with its line.
Result<std::vector<ModbusField>> read_modbus_fields(const ConfigObject& object);

/// One request: neighbours of one table that are read equally often.
struct ModbusBlock {
  ModbusTable table = ModbusTable::kHolding;
  std::uint16_t address = 0;
  std::size_t count = 0;
  std::uint64_t every = 1;
  std::vector<const ModbusField*> fields;  ///< borrowed
};
std::vector<ModbusBlock> modbus_blocks(const std::vector<ModbusField>& fields);

/// Puts the field's value into the item. False where it is a float that is no finite number. `words`: field.words() of them.
bool set_modbus_value(const ModbusField& field, std::span<const std::uint16_t> words, Item& item);

}  // namespace moru::edge
