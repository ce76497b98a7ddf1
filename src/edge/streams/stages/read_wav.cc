// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/descriptor.h"
#include "edge/streams/folder_source.h"
#include "edge/streams/wav.h"

namespace moru::edge {
namespace {

struct WavOptions {
  std::int64_t samples = 1024;
  std::int64_t channel = -1;
  std::int64_t sample_rate_hz = 0;
  double full_scale = 1.0;
  std::string unit;
};

class ReadWav final : public FolderSource {
 public:
  ReadWav(FolderOptions folder, WavOptions wav) : FolderSource(std::move(folder), {".wav"}), wav_(std::move(wav)) {}

  Result<Schema> bind() override {
    Schema schema;
    schema.set({.name = "samples",
                .type = FieldType::kTensor,
                .unit = wav_.unit,
                .dtype = model::DType::kFloat32,
                .dims = std::vector<std::int64_t>{wav_.samples}});
    schema.set({.name = "sample_rate", .type = FieldType::kInt64, .unit = "Hz"});
    schema.set({.name = "position", .type = FieldType::kInt64});
    schema.set({.name = "file", .type = FieldType::kText});
    schema.rate_hz = options().rate_hz;
    if (wav_.sample_rate_hz > 0) schema.period = period_of(static_cast<double>(wav_.sample_rate_hz) / static_cast<double>(wav_.samples));
    return schema;
  }

 private:
  Status begin_file(const Path& path) override {
    path_ = path;
    position_ = 0;
    file_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info{};
    if (!file_ || ::fstat(file_.get(), &info) != 0) return fail(errno_error("open", path));
    const auto size = static_cast<std::uint64_t>(info.st_size);
    MORU_RETURN_IF_ERROR(read(0, std::min<std::uint64_t>(size, kWavHead)));
    MORU_ASSIGN_OR_RETURN_IN(path.string(), format_, parse_wav(bytes_, size));
    if (wav_.sample_rate_hz != 0 && format_.rate_hz != wav_.sample_rate_hz)
      return wrong(fmt::format("{} samples a second", format_.rate_hz), fmt::format("{}", wav_.sample_rate_hz));
    if (wav_.channel >= static_cast<std::int64_t>(format_.channels))
      return wrong(fmt::format("{} channels", format_.channels), fmt::format("one numbered {}", wav_.channel));
    return {};
  }

  /// What is left of a file when it is less than a chunk is left out.
  Result<std::optional<TimeNs>> next(Item& item) override {
    const auto count = static_cast<std::size_t>(wav_.samples);
    if (format_.frames - position_ < count) {
      file_.reset();
      return std::nullopt;
    }
    MORU_RETURN_IF_ERROR(read(format_.data_offset + position_ * format_.frame_bytes(), count * format_.frame_bytes()));
    MORU_ASSIGN_OR_RETURN(auto samples, model::Tensor::create(model::DType::kFloat32, {wav_.samples}));
    decode_wav(format_, bytes_, wav_.channel, samples.mutable_data<float>());
    if (wav_.full_scale != 1.0) {
      for (float& sample : samples.mutable_data<float>()) sample *= static_cast<float>(wav_.full_scale);
    }
    item.set("samples", std::move(samples));
    item.set("sample_rate", format_.rate_hz);
    item.set("position", position_);
    const double after = static_cast<double>(position_) / static_cast<double>(format_.rate_hz);
    position_ += count;
    return static_cast<TimeNs>(std::min(after, 1e9) * static_cast<double>(kSecond));
  }

  /// Into bytes_, all of it.
  Status read(std::uint64_t offset, std::size_t size) {
    bytes_.resize(size);
    std::size_t have = 0;
    while (have < size) {
      const ssize_t got = ::pread(file_.get(), bytes_.data() + have, size - have, static_cast<off_t>(offset + have));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail(errno_error("read", path_));
      if (got == 0)
        return fail(ErrorCode::kCorrupt, fmt::format("{}: found its end at byte {}, expected more samples", path_.string(), offset + have));
      have += static_cast<std::size_t>(got);
    }
    return {};
  }

  std::unexpected<Error> wrong(std::string_view found, std::string_view expected) const {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {}, expected {}", path_.string(), found, expected));
  }

  const WavOptions wav_;
  Path path_;
  Descriptor file_;
  WavFormat format_;
  std::uint64_t position_ = 0;  ///< of the next sample
  std::string bytes_;
};

Result<std::unique_ptr<SourceStage>> create(const ConfigObject& object) {
  FolderReader folder;
  WavOptions wav;
  ConfigReader reader(object);
  folder.read(reader);
  reader.optional("samples", &wav.samples, {.min = 1, .max = 1 << 24});
  reader.optional("channel", &wav.channel, {.min = -1, .max = static_cast<double>(kMaxWavChannels) - 1.0});
  reader.optional("sample_rate_hz", &wav.sample_rate_hz, {.min = 0, .max = 1e9});
  reader.optional("full_scale", &wav.full_scale, {.min = 1e-12, .max = 1e12});
  reader.optional("unit", &wav.unit);
  MORU_RETURN_IF_ERROR(reader.finish());
  return std::make_unique<ReadWav>(folder.finish(object), std::move(wav));
}

}  // namespace

extern const StageSpec kStage_read_wav;
const StageSpec kStage_read_wav{
    .name = "read_wav",
    .kind = StageKind::kSource,
    .doc = R"yaml(Replays WAV files (whole numbers of 16, 24 or 32 bits, float32) in chunks of so many samples.

Writes  samples      tensor float32 [samples], in UNIT: full_scale times a number of [-1, 1)
        sample_rate  int64 Hz, of the file
        position     int64, of the first sample in its file
        file         text, its name

A chunk's time is that of its file's begin (`time`) and its place in it. Less than a chunk at a file's end is left out. A file that is none,
is cut off, or has another rate or no such channel is dropped: "damaged file", "other format", "unreadable file".

Options
  path: FILE             or a folder: its files *.wav in the order of their names
  samples: 1024          of a chunk
  channel: -1            0 is the first; -1: the mean of all
  sample_rate_hz: 0      files of another rate are dropped; 0: any
  full_scale: 1          what the largest number of a file stands for
  unit: TEXT             of the samples
  time: clock            when a file is opened; file: when it was last written to
  rate_hz: 0             chunks a second; 0: as fast as they are taken
  items: 0               ends after so many; 0: all
  watch: false           true: goes on with files that arrive, once nobody has written to them for settle_ms
  settle_ms: 1000
)yaml",
    .example = R"yaml(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: sound
spec:
  stages:
    - name: microphone
      stage: read_wav
      options: {path: data, samples: 256, sample_rate_hz: 16000, time: file, full_scale: 20, unit: Pa}
    - name: chunks
      stage: write_json
      inputs: [microphone]
      options: {path: chunks.jsonl}
)yaml",
    .create_source = create,
};

}  // namespace moru::edge
