// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <atomic>
#include <limits>
#include <vector>

#include "core/log.h"
#include "edge/streams/modbus_fields.h"
#include "edge/streams/modbus_link.h"
#include "edge/streams/pace.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

struct ModbusOptions {
  ModbusServer server;
  TimeNs period = kSecond;
  std::vector<ModbusField> fields;
  std::int64_t items = 0;
};

class Modbus final : public SourceStage {
 public:
  explicit Modbus(ModbusOptions options) : options_(std::move(options)) {
    for (auto& block : modbus_blocks(options_.fields)) requests_.push_back({std::move(block), 0, {}});
    end_ = options_.items == 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(options_.items);
  }

  Result<Schema> bind() override {
    Schema schema;
    schema.rate_hz = static_cast<double>(kSecond) / static_cast<double>(options_.period);
    schema.period = options_.period;
    for (const auto& field : options_.fields) schema.set(field.spec);
    return schema;
  }

  /// The connection is made by the first poll: a server that is off must not keep the stream from its start.
  Status open(const StageContext& context) override {
    clock_ = context.clock;
    stream_ = context.stream;
    return {};
  }

  Result<bool> produce(Output& output) override {
    if (emitted_ >= end_) return false;
    if (start_ == 0) start_ = clock_->steady_now();
    TimeNs due = due_at(poll_);
    const TimeNs now = pace_.wait_for(*clock_, due);
    if (now < due) return true;
    // Polls whose time is over are not made up for: the server would be asked for the same values many times.
    const auto late = static_cast<std::uint64_t>((now - due) / options_.period);
    missed_ += late;
    poll_ += late;
    due = due_at(poll_);
    if (!link_) {
      MORU_ASSIGN_OR_RETURN(link_, ModbusLink::connect(options_.server));
    }
    MORU_RETURN_IF_ERROR(read_all(due, output));
    ++poll_;
    return emitted_ < end_;
  }

  Status close() override {
    link_.reset();
    return {};
  }
  void drain_at(std::uint64_t items) override { end_ = std::min(end_.load(), items); }
  std::uint64_t missed() const override { return missed_; }

 private:
  struct Request {
    ModbusBlock block;
    std::uint64_t next_poll;     ///< it is due in this one
    std::string_view exception;  ///< what the server refused it with; empty: it did not
  };

  TimeNs due_at(std::uint64_t poll) const { return start_ + static_cast<TimeNs>(poll) * options_.period; }

  /// One item of all that is due, without what the server refuses.
  Status read_all(TimeNs due, Output& output) {
    Item item;
    item.event_time = clock_->wall_now();
    item.emitted = due;
    for (Request& request : requests_) {
      if (poll_ < request.next_poll) continue;
      values_.resize(request.block.count);
      MORU_ASSIGN_OR_RETURN(const auto exception, link_->read(request.block.table, request.block.address, values_));
      request.next_poll = (poll_ / request.block.every + 1) * request.block.every;
      tell(request, exception);
      if (exception.empty()) {
        take(request.block, item, output);
      } else {
        output.drop(exception);
      }
    }
    if (item.fields.size() == 0) return {};
    item.sequence = ++emitted_;
    output.emit(std::move(item));
    return {};
  }

  void take(const ModbusBlock& block, Item& item, Output& output) const {
    const std::span<const std::uint16_t> values(values_);
    for (const ModbusField* field : block.fields) {
      const auto words = values.subspan(static_cast<std::size_t>(field->address - block.address), field->words());
      if (!set_modbus_value(*field, words, item)) output.drop("not a number");
    }
  }

  /// A refusal is told when it begins and when it ends; each one is counted.
  void tell(Request& request, std::string_view exception) const {
    if (exception == request.exception) return;
    request.exception = exception;
    const auto& block = request.block;
    MORU_LOG(kWarn, exception.empty() ? "modbus: answered again" : "modbus: refused", "stream", stream_, "request",
             fmt::format("{}:{}: {} from {}", options_.server.host, options_.server.port, block.count, block.address), "exception",
             exception);
  }

  const ModbusOptions options_;
  std::vector<Request> requests_;
  std::string stream_;
  Clock* clock_ = nullptr;
  Pace pace_;
  std::unique_ptr<ModbusLink> link_;
  std::vector<std::uint16_t> values_;
  TimeNs start_ = 0;        ///< monotonic, when the first poll was due
  std::uint64_t poll_ = 0;  ///< the next one
  std::uint64_t emitted_ = 0;
  std::atomic<std::uint64_t> missed_ = 0;
  std::atomic<std::uint64_t> end_;
};

Result<std::unique_ptr<SourceStage>> create(const ConfigObject& object) {
  ModbusOptions options;
  double period_ms = 1000.0;
  double timeout_ms = 500.0;
  std::optional<ConfigObject> fields;
  ConfigReader reader(object);
  reader.required("host", &options.server.host);
  reader.required("fields", &fields);
  reader.optional("port", &options.server.port, {.min = 1, .max = 65535});
  reader.optional("unit", &options.server.unit, {.min = 0, .max = 255});
  reader.optional("period_ms", &period_ms, {.min = 1.0, .max = 1e9});
  reader.optional("timeout_ms", &timeout_ms, {.min = 1.0, .max = 60'000.0});
  reader.optional("items", &options.items, {.min = 0, .max = 1e15});
  MORU_RETURN_IF_ERROR(reader.finish());
  if (options.server.unit > 247 && options.server.unit != 255) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found unit {}, expected 0 to 247, or 255", object.find("unit")->where(), options.server.unit));
  }
  options.server.timeout = static_cast<TimeNs>(timeout_ms * 1e6);
  options.period = static_cast<TimeNs>(period_ms * 1e6);
  MORU_ASSIGN_OR_RETURN(options.fields, read_modbus_fields(*fields));
  return std::make_unique<Modbus>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_modbus;
const StageSpec kStage_modbus{
    .name = "modbus",
    .kind = StageKind::kSource,
    .doc = R"yaml(Polls a Modbus TCP server (a PLC, a meter, a gateway): one item a period with the values that it read.

Writes  the fields of `fields`: int64, or double where a value is a float or has a scale or an offset; bits are 0 or 1

Each field of `fields`
  address: NUMBER        as the protocol counts, from 0: the register that manuals call 40001 is 0 of the table holding
  table: holding         or input, coils, discrete
  type: uint16           or int16, int32, uint32, float32, int64, float64; none of a table of bits
  order: abcd            of the bytes: high word first; cdab: low word first; badc, dcba: the same with swapped bytes in each word
  scale: 1               value = number * scale + offset
  offset: 0
  unit: TEXT
  every: 1               it is read in one poll of so many

Neighbours of one table go into one request. What the server refuses leaves its fields out of the item and is counted by the
exception's name ("illegal data address"); so is a float that is "not a number". Polls that could not be made in time are counted as
missed. While the server does not answer, the source is stale, and connects again.

Options
  host: NAME
  fields: {NAME: {...}}
  port: 502
  unit: 1                0 to 247 or 255; which of the devices behind a gateway
  period_ms: 1000
  timeout_ms: 500        of a connection and of an answer
  items: 0               ends after so many; 0: when drained
)yaml",
    .example = R"yaml(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: boiler
spec:
  stages:
    - name: boiler
      stage: modbus
      options:
        host: 127.0.0.1
        port: 502
        period_ms: 10
        items: 5
        fields:
          pressure: {table: input, address: 0, type: float32, unit: bar}
          temperature: {table: input, address: 2, type: int16, scale: 0.1, unit: degC}
          burner: {table: coils, address: 0}
    - name: hot
      stage: map
      inputs: [boiler]
      options: {set: {hot: burner and temperature > 80}}
    - name: results
      stage: write_json
      inputs: [hot]
      options: {path: boiler.jsonl}
)yaml",
    .create_source = create,
    .needs = "a Modbus server",
};

}  // namespace moru::edge
