// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "edge/streams/keyed_states.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

constexpr std::int64_t kMaxElements = std::int64_t{1} << 24U;  // of a tensor

struct StackOptions {
  std::vector<std::string> fields;
  std::vector<std::string> key;
  std::int64_t rows = 1;
  std::int64_t step = 0;
  std::vector<std::int64_t> shape;
  std::string output = "tensor";
  TimeNs gap = 0;
  std::int64_t max_keys = 1000;
  std::string where;
};

class Stack final : public Stage {
 public:
  explicit Stack(StackOptions options)
      : options_(std::move(options)),
        output_(options_.output),
        width_(options_.fields.size()),
        rows_(static_cast<std::size_t>(options_.rows)),
        states_({options_.key.begin(), options_.key.end()}, options_.where, options_.max_keys) {
    for (const auto& field : options_.fields) finders_.emplace_back(field);
  }

  Result<std::vector<Schema>> bind(std::span<const Schema> inputs) override {
    MORU_RETURN_IF_ERROR(states_.check(inputs[0]));
    Schema schema;
    for (const FieldName name : states_.names()) {
      if (const FieldSpec* field = inputs[0].find(name)) schema.set(*field);
    }
    for (const auto& field : options_.fields) MORU_RETURN_IF_ERROR(inputs[0].need_number(options_.where, field));
    if (schema.find(output_) != nullptr)
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found field '{}' as key and output, expected names that differ", options_.where, options_.output));
    schema.set({.name = output_, .type = FieldType::kTensor, .dtype = model::DType::kFloat32, .dims = options_.shape});
    schema.rate_hz = inputs[0].rate_hz / static_cast<double>(options_.step);
    schema.period = inputs[0].period;
    if (options_.gap > 0 && options_.rows > 1)
      MORU_RETURN_IF_ERROR(inputs[0].need_reach(options_.where, "gap_ms", options_.gap, "no tensor would get its second row"));
    return std::vector<Schema>{std::move(schema)};
  }

  Status open(const StageContext&) override { return {}; }

  Status process(Item&& item, Output& output) override {
    row_.clear();
    for (const auto& finder : finders_) {
      const auto value = number_of(finder.in(item));
      if (!value) return drop(output, "field missing");
      row_.push_back(static_cast<float>(*value));
      if (!std::isfinite(row_.back())) return drop(output, "not a number");  // or no float
    }
    if (!states_.read(item)) return drop(output, "field missing");
    Rows* const rows = states_.find(item, output);
    if (rows == nullptr) return {};
    if (rows->filled > 0 && item.event_time < rows->last) return drop(output, "out of order");
    if (options_.gap > 0 && rows->filled > 0 && item.event_time - rows->last > options_.gap) start_again(*rows, output);
    rows->last = item.event_time;
    rows->receipt.add(item.receipt);
    add(*rows, output);
    if (rows->filled == rows_ && rows->since >= static_cast<std::size_t>(options_.step)) emit(*rows, item, output);
    return {};
  }

  void finish(Output& output) override {
    for (; held_ > 0; --held_) output.drop("incomplete");
  }
  std::uint64_t held() const override { return held_; }

 private:
  /// The last rows of a key, in a ring.
  struct Rows {
    std::vector<float> ring;
    std::size_t next = 0;  ///< where the next row goes
    std::size_t filled = 0;
    std::size_t since = 0;  ///< rows since the last tensor, of those in the ring at most; they are held
    TimeNs last = 0;
    Receipt receipt = {};  ///< of the rows that are in no tensor yet
  };

  void add(Rows& rows, Output& output) {
    rows.ring.resize(rows_ * width_);
    std::ranges::copy(row_, rows.ring.begin() + static_cast<std::ptrdiff_t>(rows.next * width_));
    rows.next = (rows.next + 1) % rows_;
    rows.filled = std::min(rows.filled + 1, rows_);
    ++rows.since;
    ++held_;
    if (rows.since > rows_) {  // a step longer than the tensor leaves rows out
      --held_;
      output.drop("left out");
    }
  }

  void start_again(Rows& rows, Output& output) {
    for (std::size_t i = std::min(rows.since, rows_); i > 0; --i, --held_) output.drop("incomplete");
    rows.next = 0;
    rows.filled = 0;
    rows.since = 0;
    rows.receipt.reset();
  }

  void emit(Rows& rows, const Item& from, Output& output) {
    auto tensor = model::Tensor::create(model::DType::kFloat32, options_.shape);
    if (!tensor) return start_again(rows, output);  // no memory; the rows are counted as incomplete
    const auto oldest = static_cast<std::ptrdiff_t>(rows.next * width_);
    std::rotate_copy(rows.ring.begin(), rows.ring.begin() + oldest, rows.ring.end(), tensor->mutable_data<float>().begin());
    Item item;
    item.sequence = ++emitted_;
    item.event_time = from.event_time;
    item.emitted = from.emitted;
    item.receipt = std::exchange(rows.receipt, {});
    item.fields = states_.fields(from);
    item.fields.set(output_, std::move(*tensor));
    const std::size_t taken = std::min(rows.since, rows_);
    held_ -= taken;
    rows.since = 0;
    output.used(taken);
    output.emit(std::move(item));
  }

  const StackOptions options_;
  const FieldName output_;
  const std::size_t width_;
  const std::size_t rows_;
  std::vector<FieldFinder> finders_;
  std::vector<float> row_;
  KeyedStates<Rows> states_;
  std::uint64_t held_ = 0;
  std::uint64_t emitted_ = 0;
};

/// The shape of the tensor: [1, all], or what the options say, which must hold as many.
Status read_shape(const ConfigObject& object, StackOptions& options) {
  const auto count = options.rows * static_cast<std::int64_t>(options.fields.size());
  if (options.fields.empty() || count > kMaxElements)
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found {} fields in {} rows, expected a tensor of 1 to {} elements",
                                                         object.where(), options.fields.size(), options.rows, kMaxElements));
  const auto shape = object.find("shape");
  std::int64_t product = 1;
  for (const auto& one : shape ? shape->items() : std::vector<ConfigObject>{}) {
    MORU_ASSIGN_OR_RETURN(const std::int64_t extent, one.as_integer());
    if (extent < 1 || extent > count) product = 0;
    product = product > count ? product : product * extent;
    options.shape.push_back(extent);
  }
  if (!shape) options.shape = {1, count};
  if (shape && (options.shape.empty() || product != count))
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found shape {}, expected one of {} elements, rows times fields",
                                                         shape->where(), model::to_string(options.shape), count));
  return {};
}

Result<std::unique_ptr<Stage>> create(const ConfigObject& object) {
  StackOptions options;
  std::optional<ConfigObject> shape;
  double gap_ms = 0.0;
  ConfigReader reader(object);
  reader.required("fields", &options.fields);
  reader.required("rows", &options.rows, {.min = 1, .max = 1e7});
  reader.optional("step", &options.step, {.min = 1, .max = 1e7});
  reader.optional("shape", &shape);
  reader.optional("key", &options.key);
  reader.optional("output", &options.output);
  reader.optional("gap_ms", &gap_ms, {.min = 0.0, .max = 1e11});
  reader.optional("max_keys", &options.max_keys, {.min = 1, .max = 1e6});
  MORU_RETURN_IF_ERROR(reader.finish());
  if (options.step == 0) options.step = options.rows;
  options.gap = static_cast<TimeNs>(gap_ms * 1e6);
  options.where = object.where();
  MORU_RETURN_IF_ERROR(read_shape(object, options));
  return std::make_unique<Stack>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_stack;
const StageSpec kStage_stack{
    .name = "stack",
    .kind = StageKind::kStage,
    .doc = R"(Puts numbers of the last items of each key into a tensor, row by row, as models of signals want them.

Reads   the fields of `fields` (numbers) and of `key` (int64 or text); an item that lacks one is dropped("field missing"), one with a
        value that is not finite dropped("not a number"), one older than that before it dropped("out of order")
Writes  the fields of `key`
        OUTPUT   tensor float32 [1, rows * fields], the oldest row first; or of another `shape`

The item has the time of its last row.

Options
  fields: [FIELD, ...]   a row
  rows: ITEMS            in a tensor
  step: ROWS             from one tensor to the next; default: as many as there are rows. Between longer steps items are dropped("left
                         out")
  shape: [EXTENT, ...]   [1, 1, ROWS, FIELDS], say
  key: [FIELD, ...]      none: all items are of one signal
  output: tensor
  gap_ms: 0              a longer time between two items begins the rows anew, and drops what had come("incomplete"); 0: none does
  max_keys: 1000         items of further keys are dropped("too many keys")
)",
    .example = R"(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: signals
spec:
  stages:
    - name: sensors
      stage: synthetic
      options: {keys: 2, items: 640, period_ms: 1}
    - name: windows
      stage: stack
      inputs: [sensors]
      options: {fields: [value], rows: 64, step: 32, key: [device], output: signal}
    - name: results
      stage: write_json
      inputs: [windows]
      options: {path: signals.jsonl}
)",
    .create = create,
    .light = true,
    .holds = true,
};

}  // namespace moru::edge
