// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "edge/streams/folder_source.h"
#include "edge/streams/image_file.h"

namespace moru::edge {
namespace {

constexpr std::uint64_t kLargestFile = std::uint64_t{256} << 20U;

class ReadImages final : public FolderSource {
 public:
  ReadImages(FolderOptions folder, std::size_t channels)
      : FolderSource(std::move(folder), {".pgm", ".ppm", ".png", ".jpg", ".jpeg"}), channels_(channels) {}

  Result<Schema> bind() override {
    FieldSpec image{.name = "image", .type = FieldType::kTensor, .dtype = model::DType::kUInt8};
    if (channels_ == 1) image.dims = std::vector<std::int64_t>{-1, -1};
    if (channels_ == 3) image.dims = std::vector<std::int64_t>{-1, -1, 3};
    Schema schema;
    schema.set(std::move(image));
    schema.set({.name = "file", .type = FieldType::kText});
    schema.rate_hz = options().rate_hz;
    if (options().time == "clock") schema.period = period_of(schema.rate_hz);
    return schema;
  }

 private:
  Status begin_file(const Path& path) override {
    MORU_ASSIGN_OR_RETURN(const auto bytes, read_file(path, kLargestFile));
    MORU_ASSIGN_OR_RETURN_IN(path.string(), image_, decode_image(bytes));
    if (channels_ != 0) image_ = with_channels(std::move(*image_), channels_);
    return {};
  }

  Result<std::optional<TimeNs>> next(Item& item) override {
    if (!image_) return std::nullopt;
    model::Dims dims = {static_cast<std::int64_t>(image_->height), static_cast<std::int64_t>(image_->width)};
    if (image_->channels > 1) dims.push_back(static_cast<std::int64_t>(image_->channels));
    MORU_ASSIGN_OR_RETURN(auto tensor,
                          model::Tensor::from_bytes(model::DType::kUInt8, std::move(dims), std::as_bytes(std::span(image_->bytes))));
    item.set("image", std::move(tensor));
    image_.reset();
    return 0;
  }

  const std::size_t channels_;  ///< 0: those of the file
  std::optional<Image> image_;
};

Result<std::unique_ptr<SourceStage>> create(const ConfigObject& object) {
  FolderReader folder;
  std::string colour = "file";
  ConfigReader reader(object);
  folder.read(reader);
  reader.choice("colour", &colour, {"file", "grey", "rgb"});
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<ReadImages>(folder.finish(object), colour == "grey" ? 1 : colour == "rgb" ? 3 : 0);
}

}  // namespace

extern const StageSpec kStage_read_images;
const StageSpec kStage_read_images{
    .name = "read_images",
    .kind = StageKind::kSource,
    .doc = R"yaml(Replays images from files: PGM and PPM (binary), PNG, JPEG.

Writes  image   tensor uint8 [H, W], grey, or [H, W, 3], red, green, blue
        file    text, its name

A file that is none, is cut off, or has more than 64 million pixels is dropped: "damaged file", "other format", "file too large",
"unreadable file". libpng and libjpeg are loaded when the first such file comes.

Options
  path: FILE             or a folder: its files *.pgm, *.ppm, *.png, *.jpg, *.jpeg in the order of their names
  colour: file           as each file is; or grey, rgb: all of them
  time: clock            when a file is opened; file: when it was last written to
  rate_hz: 0             images a second; 0: as fast as they are taken
  items: 0               ends after so many; 0: all
  watch: false           true: goes on with files that arrive, once nobody has written to them for settle_ms
  settle_ms: 1000
)yaml",
    .example = R"yaml(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: camera
spec:
  stages:
    - name: camera
      stage: read_images
      options: {path: data, colour: grey, rate_hz: 100}
    - name: tensor
      stage: image_to_tensor
      inputs: [camera]
    - name: seen
      stage: write_json
      inputs: [tensor]
      options: {path: seen.jsonl}
)yaml",
    .create_source = create,
};

}  // namespace moru::edge
