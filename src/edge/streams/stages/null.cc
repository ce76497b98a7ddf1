// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

class Null final : public Stage {
 public:
  Status open(const StageContext&) override { return {}; }
  Status process(Item&&, Output&) override { return {}; }
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  ConfigReader reader(object);
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<Null>();
}

}  // namespace

extern const StageSpec kStage_null;
const StageSpec kStage_null{
    .name = "null",
    .kind = StageKind::kSink,
    .doc = R"(Takes every item and does nothing with it: to measure a stream, or to end a branch that nobody needs yet.

Options
  none
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: nowhere
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {items: 1000}
    - name: nowhere
      stage: "null"
      inputs: [sensors]
)",
    .create = create,
    .light = true,
};

}  // namespace moru::edge
