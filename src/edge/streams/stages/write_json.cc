// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <memory>

#include "core/json.h"
#include "edge/streams/item_json.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

class WriteJson final : public Stage {
 public:
  WriteJson(Path path, std::vector<std::string> fields, std::string where)
      : path_(std::move(path)), fields_(std::move(fields)), where_(std::move(where)) {}

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    for (const auto& field : fields_) MORU_RETURN_IF_ERROR(inputs[0].need(where_, field));
    return std::vector<Schema>{};
  }

  Status open(const StageContext& context) override {
    clock_ = context.clock;
    file_.reset(std::fopen(path_.c_str(), "we"));
    if (!file_) return fail(errno_error("create", path_));
    return {};
  }

  Status process(Item&& item, Output&) override {
    const std::string line = item_json(item, fields_, clock_->steady_now()).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    // Flushed at once: whoever follows the file sees each item as it comes.
    if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() || std::fflush(file_.get()) != 0)
      return fail(errno_error("write", path_));
    return {};
  }

  Status close() override {
    if (file_ && std::fclose(file_.release()) != 0) return fail(errno_error("close", path_));
    return {};
  }

 private:
  const Path path_;
  const std::vector<std::string> fields_;
  const std::string where_;
  Clock* clock_ = nullptr;
  std::unique_ptr<std::FILE, CloseFile> file_;
};

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  std::string path;
  std::vector<std::string> fields;
  ConfigReader reader(object);
  reader.required("path", &path);
  reader.optional("fields", &fields);
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<WriteJson>(path, std::move(fields), object.where());
}

}  // namespace

extern const StageSpec kStage_write_json;
const StageSpec kStage_write_json{
    .name = "write_json",
    .kind = StageKind::kSink,
    .doc = R"(Writes each item to a file, one JSON object a line: {"seq", "time" (ns since 1970), fields, "latency_us"}.

Reads   every number and text field but notes (names with a dot), or those of `fields`; tensors are left out

Options
  path: FILE             overwritten at the start
  fields: [NAME, ...]    all
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: orders
spec:
  stages:
    - name: camera
      stage: idx_replay
      options: {folder: data, part: test, items: 20, swap_fraction: 0.5}
    - name: orders
      stage: write_json
      inputs: [camera]
      options: {path: orders.jsonl, fields: [order, truth]}
)",
    .create = create,
};

}  // namespace moru::edge
