// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <limits>
#include <mutex>

#include "core/files.h"
#include "core/random.h"
#include "edge/streams/stage.h"
#include "model/formats/idx.h"

namespace moru::edge {
namespace {

constexpr TimeNs kLongestWait = 50 * kMillisecond;  // a call, so that stop is seen

struct ReplayOptions {
  std::string folder;
  std::string part = "test";
  std::string images;
  std::string labels;
  double rate_hz = 0.0;
  std::int64_t items = 0;
  bool loop = true;
  std::int64_t first = 0;
  std::int64_t count = 0;
  double swap_fraction = 0.0;
  std::int64_t seed = 1;
  double late_ms = 500.0;
};

/// The images and labels that are replayed: images [N, H, W], labels [N].
struct Replayed {
  model::Tensor images;
  model::Tensor labels;
  std::int64_t classes = 0;
};

Path part_file(const ReplayOptions& options, std::string_view kind) {
  const Path folder = options.folder;
  const std::string name = fmt::format("{}-{}-ubyte", options.part == "test" ? "t10k" : "train", kind);
  std::error_code ignored;
  return std::filesystem::exists(folder / name, ignored) ? folder / name : folder / (name + ".gz");
}

/// Rows [first, first + count) of `all`, in memory of their own, so that the rest can be let go.
Result<model::Tensor> slice(const model::Tensor& all, std::int64_t first, std::int64_t count) {
  model::Dims dims = all.dims();
  const auto row = all.size_bytes() / static_cast<std::size_t>(dims[0]);
  dims[0] = count;
  return model::Tensor::from_bytes(all.dtype(), std::move(dims),
                                   all.bytes().subspan(row * static_cast<std::size_t>(first), row * static_cast<std::size_t>(count)));
}

Result<Replayed> load(const ReplayOptions& options) {
  const Path image_path = options.images.empty() ? part_file(options, "images-idx3") : Path(options.images);
  const Path label_path = options.labels.empty() ? part_file(options, "labels-idx1") : Path(options.labels);
  MORU_ASSIGN_OR_RETURN(const auto images, model::load_idx(image_path));
  MORU_ASSIGN_OR_RETURN(const auto labels, model::load_idx(label_path));
  if (images.rank() != 3 || labels.rank() != 1 || images.dims()[0] != labels.dims()[0]) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("idx_replay: found images {} in '{}' and labels {} in '{}', expected [N, H, W] and [N]",
                            model::to_string(images.dims()), image_path.string(), model::to_string(labels.dims()), label_path.string()));
  }
  const std::int64_t have = labels.dims()[0];
  const std::int64_t count = options.count == 0 ? have - options.first : options.count;
  if (count < 1 || count > have - options.first) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("idx_replay: found first {} and count {}, expected them within the {} images of '{}'", options.first,
                            options.count, have, image_path.string()));
  }
  Replayed replayed;
  MORU_ASSIGN_OR_RETURN(replayed.images, slice(images, options.first, count));
  MORU_ASSIGN_OR_RETURN(replayed.labels, slice(labels, options.first, count));
  replayed.classes = 1 + std::int64_t{*std::ranges::max_element(labels.data<std::uint8_t>())};
  if (options.swap_fraction > 0.0 && replayed.classes < 2) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("idx_replay: found one class in '{}', expected two at least for swap_fraction", label_path.string()));
  }
  return replayed;
}

class IdxReplay final : public SourceStage {
 public:
  explicit IdxReplay(ReplayOptions options) : options_(std::move(options)) {
    end_ = options_.items == 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(options_.items);
  }

  Result<Schema> bind() override {
    Schema schema;
    schema.set({.name = "image", .type = FieldType::kTensor, .dtype = model::DType::kUInt8, .dims = std::vector<std::int64_t>{-1, -1}});
    schema.set({.name = "order", .type = FieldType::kInt64});
    schema.set({.name = "truth", .type = FieldType::kInt64});
    schema.rate_hz = options_.rate_hz;
    schema.period = period_of(schema.rate_hz);
    return schema;
  }

  Status open(const StageContext& context) override {
    clock_ = context.clock;
    MORU_ASSIGN_OR_RETURN(replayed_, load(options_));
    return {};
  }

  Result<bool> produce(Output& output) override {
    if (emitted_ >= end_) return false;
    if (start_ == 0) start_ = clock_->steady_now();
    TimeNs due = 0;
    if (options_.rate_hz > 0.0) {
      skip_lost();
      due = due_at(next_);
      const TimeNs now = wait_for(due);
      if (now < due) return true;
    }
    if (!options_.loop && next_ >= static_cast<std::uint64_t>(replayed_.labels.count())) return false;
    MORU_ASSIGN_OR_RETURN(auto item, make_item(next_, due));
    ++next_;
    ++emitted_;
    output.emit(std::move(item));
    return true;
  }

  void drain_at(std::uint64_t items) override { end_ = std::min(end_.load(), items); }
  std::uint64_t missed() const override { return missed_; }

 private:
  /// When item `index` (from 0) is due. Counted from the start, so that the rate does not drift.
  TimeNs due_at(std::uint64_t index) const {
    return start_ + static_cast<TimeNs>(static_cast<double>(index) * (static_cast<double>(kSecond) / options_.rate_hz));
  }

  /// Items that nobody took in time are lost, as in a camera whose buffer is overwritten.
  void skip_lost() {
    const TimeNs oldest = clock_->steady_now() - static_cast<TimeNs>(options_.late_ms * static_cast<double>(kMillisecond));
    while (due_at(next_) < oldest) {
      ++next_;
      ++missed_;
    }
  }

  /// Waits for `due`, or as long as one call may; returns the time.
  TimeNs wait_for(TimeNs due) {
    TimeNs now = clock_->steady_now();
    const TimeNs deadline = std::min(due, now + kLongestWait);
    std::unique_lock lock(mutex_);
    while (now < deadline) {
      clock_->wait_until(lock, wake_, deadline);
      now = clock_->steady_now();
    }
    return now;
  }

  Result<Item> make_item(std::uint64_t index, TimeNs due) const {
    const auto at = static_cast<std::size_t>(index % static_cast<std::uint64_t>(replayed_.labels.count()));
    const auto height = replayed_.images.dims()[1];
    const auto width = replayed_.images.dims()[2];
    const auto size = static_cast<std::size_t>(height * width);
    MORU_ASSIGN_OR_RETURN(
        auto image, model::Tensor::from_bytes(model::DType::kUInt8, {height, width}, replayed_.images.bytes().subspan(at * size, size)));
    const std::int64_t truth = replayed_.labels.data<std::uint8_t>()[at];
    Item item;
    item.sequence = index + 1;
    item.emitted = due;
    item.event_time = clock_->wall_now();
    if (due != 0) item.event_time -= clock_->steady_now() - due;
    item.set("image", std::move(image));
    item.set("order", ordered(index, truth));
    item.set("truth", truth);
    return item;
  }

  /// What the order says: the truth, or with the probability swap_fraction any other class. Depends on the seed and the
  /// item's number alone, so a restart or a lost item changes no other.
  std::int64_t ordered(std::uint64_t index, std::int64_t truth) const {
    Rng random(static_cast<std::uint64_t>(options_.seed) ^ ((index + 1) * 0x9E3779B97F4A7C15U));
    if (random.uniform() >= options_.swap_fraction) return truth;
    const auto other = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(replayed_.classes - 1)));
    return other < truth ? other : other + 1;
  }

  const ReplayOptions options_;
  Clock* clock_ = nullptr;
  Replayed replayed_;
  TimeNs start_ = 0;
  std::uint64_t next_ = 0;  // index of the next item in the schedule
  std::uint64_t emitted_ = 0;
  std::atomic<std::uint64_t> missed_{0};
  std::atomic<std::uint64_t> end_;
  std::mutex mutex_;
  std::condition_variable wake_;
};

Result<std::unique_ptr<SourceStage>> create(const ConfigObject& object) {
  ReplayOptions options;
  ConfigReader reader(object);
  reader.optional("folder", &options.folder);
  reader.choice("part", &options.part, {"train", "test"});
  reader.optional("images", &options.images);
  reader.optional("labels", &options.labels);
  reader.optional("rate_hz", &options.rate_hz, {.min = 0.0, .max = 1e6});
  reader.optional("items", &options.items, {.min = 0, .max = 1e15});
  reader.optional("loop", &options.loop);
  reader.optional("first", &options.first, {.min = 0, .max = 1e9});
  reader.optional("count", &options.count, {.min = 0, .max = 1e9});
  reader.optional("swap_fraction", &options.swap_fraction, {.min = 0.0, .max = 1.0});
  reader.optional("seed", &options.seed, {.min = 0});
  reader.optional("late_ms", &options.late_ms, {.min = 1.0, .max = 3.6e6});
  MORU_RETURN_IF_ERROR(reader.finish());
  const bool files = !options.images.empty() && !options.labels.empty();
  const bool any_file = !options.images.empty() || !options.labels.empty();
  if (options.folder.empty() ? !files : any_file) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found {}, expected either 'folder' or both 'images' and 'labels'", object.where(),
                            options.folder.empty() ? "no place of the images" : "two places of the images"));
  }
  return std::make_unique<IdxReplay>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_idx_replay;
const StageSpec kStage_idx_replay{
    .name = "idx_replay",
    .kind = StageKind::kSource,
    .doc = R"(Replays labelled images from IDX files (the MNIST family) in real time.

Writes  image   tensor uint8 [H, W]
        order   int64, the class that the item's order says
        truth   int64, the class that is really there; for evaluation only

An item is due at start + n / rate_hz; the schedule does not drift. One that cannot be handed on within late_ms of its time
is lost and counted as missed. Item n is swapped (its order names another class) or not by the seed and n alone.

Options
  folder: FOLDER         with t10k-images-idx3-ubyte[.gz] and so on
  part: test             or train
  images: FILE           instead of folder, together with
  labels: FILE
  rate_hz: 0             items per second; 0: as fast as they are taken
  items: 0               ends after so many; 0: when drained
  loop: true             begins again after the last image
  first: 0               the slice of the images that is used
  count: 0               0: all from first on
  swap_fraction: 0       share of swapped items
  seed: 1
  late_ms: 500
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: replay
spec:
  stages:
    - name: camera
      stage: idx_replay
      options: {folder: data, part: test, rate_hz: 500, items: 20, swap_fraction: 0.1, seed: 7}
    - name: results
      stage: write_json
      inputs: [camera]
      options: {path: results.jsonl}
)",
    .create_source = create,
};

}  // namespace moru::edge
