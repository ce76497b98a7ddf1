// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "edge/streams/expression.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

struct Assignment {
  FieldName name;
  std::string text;
  std::string where;
};

class Map final : public Stage {
 public:
  explicit Map(std::vector<Assignment> assignments) : assignments_(std::move(assignments)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    Schema schema = inputs[0];
    for (const auto& one : assignments_) {
      MORU_ASSIGN_OR_RETURN(auto expression, Expression::compile(one.text, schema, one.where));
      schema.set({.name = one.name, .type = expression.type(), .unit = expression.unit()});
      expressions_.push_back(std::move(expression));
    }
    return std::vector<Schema>{std::move(schema)};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    Expression::Value value;
    for (std::size_t i = 0; i < expressions_.size(); ++i) {
      const Fault fault = expressions_[i].run(item, value);
      if (fault != Fault::kNone) {
        output.drop(to_string(fault));
        return {};
      }
      switch (expressions_[i].type()) {
        case FieldType::kInt64: item.fields.set(assignments_[i].name, value.integer); break;
        case FieldType::kDouble: item.fields.set(assignments_[i].name, value.number); break;
        default: item.fields.set(assignments_[i].name, value.text); break;
      }
    }
    output.emit(std::move(item));
    return {};
  }

 private:
  const std::vector<Assignment> assignments_;
  std::vector<Expression> expressions_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  std::optional<ConfigObject> set;
  ConfigReader reader(object);
  reader.required("set", &set);
  MORU_RETURN_IF_ERROR(reader.finish());
  std::vector<Assignment> assignments;
  for (const auto& key : set->keys()) {
    const auto value = set->find(key);
    if (key.empty() || FieldName(key).is_note() || !value->is_scalar())
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} for '{}', expected a field name without a dot and an expression",
                                                           value->where(), value->found(), key));
    assignments.push_back({key, value->scalar(), value->where()});
  }
  if (assignments.empty())
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: {}, expected a map of fields and expressions: {{f: value * 1.8 + 32}}", set->where(), set->found()));
  return std::make_unique<Map>(std::move(assignments));
}

}  // namespace

extern const StageSpec kStage_map;
const StageSpec kStage_map{
    .name = "map",
    .kind = StageKind::kStage,
    .doc = R"(Computes fields, one after the other: a later expression sees what an earlier one has set.

Reads   the fields in the expressions; an item that lacks one is dropped("field missing")
Writes  NAME of each   int64, double or text, as the expression gives it

Options
  set: {NAME: EXPRESSION, ...}
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: fahrenheit
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {items: 30}
    - name: convert
      stage: map
      inputs: [sensors]
      options: {set: {fahrenheit: value * 1.8 + 32, hot: fahrenheit > 70}}
    - name: results
      stage: write_json
      inputs: [convert]
      options: {path: fahrenheit.jsonl}
)",
    .create = create,
    .light = true,
};

}  // namespace moru::edge
