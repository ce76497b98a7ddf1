// SPDX-License-Identifier: Apache-2.0
// The smallest useful stage, to copy: it passes on every n-th item and says why the others go no further.
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

class Every final : public Stage {
 public:
  explicit Every(std::int64_t n) : n_(n) {}

  /// What comes in goes out, and one field more: whoever reads from this stage is checked against it.
  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    Schema schema = inputs[0];
    schema.set({.name = "nth", .type = FieldType::kInt64});
    return std::vector<Schema>{std::move(schema)};
  }

  /// What the stage needs of its host (a model slot, an outbox, the clock) would be taken from the context here.
  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    if (++seen_ % n_ != 0) {
      output.drop("not the n-th");  // the reason names a counter in the stream's state
      return {};
    }
    item.set("nth", seen_ / n_);
    output.emit(std::move(item));
    return {};
  }

 private:
  const std::int64_t n_;
  std::int64_t seen_ = 0;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  std::int64_t n = 1;
  ConfigReader reader(object);
  reader.required("n", &n, {.min = 1, .max = 1e9});
  MORU_RETURN_IF_ERROR(reader.finish());  // the first mistake with its line; an unknown field with the nearest known one
  return std::make_unique<Every>(n);
}

}  // namespace

extern const StageSpec kStage_every;  // kStage_ and the file's name: the table is made from the names of the files
const StageSpec kStage_every{
    .name = "every",
    .kind = StageKind::kStage,
    .doc = R"(Passes on every n-th item.

Writes  nth   int64, how many were passed on so far

Options
  n: NUMBER
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: sample
spec:
  stages:
    - name: camera
      stage: idx_replay
      options: {folder: data, part: test, items: 20}
    - name: sample
      stage: every
      inputs: [camera]
      options: {n: 5}
    - name: results
      stage: write_json
      inputs: [sample]
      options: {path: results.jsonl}
)",
    .create = create,
};

}  // namespace moru::edge
