// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <optional>

#include "edge/streams/expression.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

constexpr std::array<std::string_view, 2> kPorts = {"out", "rest"};

class Filter final : public Stage {
 public:
  Filter(std::string condition, std::string where) : condition_(std::move(condition)), where_(std::move(where)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_ASSIGN_OR_RETURN(expression_, Expression::condition(condition_, inputs[0], where_));
    return std::vector<Schema>(2, inputs[0]);
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    bool passes = false;
    const Fault fault = expression_->test(item, passes);
    if (fault != Fault::kNone) {
      output.drop(to_string(fault));
    } else if (passes) {
      output.emit(std::move(item));
    } else if (output.is_read(1)) {
      output.emit_to(1, std::move(item));
    } else {
      output.drop("filtered");
    }
    return {};
  }

 private:
  const std::string condition_;
  const std::string where_;
  std::optional<Expression> expression_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  std::string condition;
  ConfigReader reader(object);
  reader.required("where", &condition);
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<Filter>(std::move(condition), object.find("where")->where());
}

}  // namespace

extern const StageSpec kStage_filter;
const StageSpec kStage_filter{
    .name = "filter",
    .kind = StageKind::kStage,
    .doc = R"(Passes on the items for which an expression is true. The others are dropped("filtered"), or go out by the port `rest` where
somebody reads it (inputs: [NAME.rest]).

Reads   the fields in the expression; an item that lacks one is dropped("field missing")

Options
  where: EXPRESSION      not 0 is true; see the language of expressions
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: warm
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {keys: 2, items: 60, period_ms: 1000, unit: degC}
    - name: warm
      stage: filter
      inputs: [sensors]
      options: {where: value > 20 and device != 'device-1'}
    - name: warm-file
      stage: write_json
      inputs: [warm]
      options: {path: warm.jsonl}
    - name: rest-file
      stage: write_json
      inputs: [warm.rest]
      options: {path: rest.jsonl}
)",
    .create = create,
    .light = true,
    .outputs = kPorts,
};

}  // namespace moru::edge
