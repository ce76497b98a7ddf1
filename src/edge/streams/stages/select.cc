// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

class Select final : public Stage {
 public:
  Select(std::vector<FieldName> fields, std::string where) : fields_(std::move(fields)), where_(std::move(where)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    Schema schema{.fields = {}, .open = inputs[0].open, .rate_hz = inputs[0].rate_hz, .period = inputs[0].period};
    for (const FieldName name : fields_) {
      MORU_ASSIGN_OR_RETURN(const FieldSpec* field, inputs[0].need(where_, name.text()));
      if (field != nullptr) schema.set(*field);
    }
    return std::vector<Schema>{std::move(schema)};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    item.fields.keep(fields_);
    output.emit(std::move(item));
    return {};
  }

 private:
  const std::vector<FieldName> fields_;
  const std::string where_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  std::vector<std::string> names;
  ConfigReader reader(object);
  reader.required("fields", &names);
  MORU_RETURN_IF_ERROR(reader.finish());
  const auto where = object.find("fields")->where();
  std::vector<FieldName> fields;
  for (const auto& name : names) {
    if (std::ranges::find(fields, FieldName(name)) != fields.end())
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found field '{}' twice, expected it once", where, name));
    fields.emplace_back(name);
  }
  return std::make_unique<Select>(std::move(fields), where);
}

}  // namespace

extern const StageSpec kStage_select;
const StageSpec kStage_select{
    .name = "select",
    .kind = StageKind::kStage,
    .doc = R"(Keeps some fields, in the order given; the others, notes among them, are left out.

Options
  fields: [NAME, ...]
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: values
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {items: 30}
    - name: values
      stage: select
      inputs: [sensors]
      options: {fields: [value]}
    - name: results
      stage: write_json
      inputs: [values]
      options: {path: values.jsonl}
)",
    .create = create,
    .light = true,
};

}  // namespace moru::edge
