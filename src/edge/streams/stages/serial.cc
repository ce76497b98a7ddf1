// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <limits>
#include <optional>
#include <system_error>

#include "edge/streams/framer.h"
#include "edge/streams/record.h"
#include "edge/streams/serial_port.h"
#include "edge/streams/stage.h"

namespace moru::edge {
namespace {

struct SerialOptions {
  SerialPort port;
  FrameOptions frames;
  RecordOptions record;
  std::string format;
  std::vector<std::string> columns;
  char separator = ',';
  std::int64_t items = 0;
};

class Serial final : public SourceStage {
 public:
  explicit Serial(SerialOptions options)
      : options_(std::move(options)), framer_(options_.frames), csv_(options_.record, options_.separator) {
    end_ = options_.items == 0 ? std::numeric_limits<std::uint64_t>::max() : static_cast<std::uint64_t>(options_.items);
  }

  Result<Schema> bind() override {
    if (options_.format == "csv") MORU_RETURN_IF_ERROR(csv_.set_columns(options_.columns));
    return Schema{.fields = options_.record.fields};
  }

  /// The device is opened by the first produce(): one that is not plugged in must not keep the stream from its start.
  Status open(const StageContext& context) override {
    clock_ = context.clock;
    return {};
  }

  Result<bool> produce(Output& output) override {
    if (emitted_ >= end_) return false;
    if (std::exchange(lost_frame_, false)) output.drop("cut off");
    if (!fd_) {
      MORU_ASSIGN_OR_RETURN(fd_, open_serial(options_.port));
    }
    MORU_RETURN_IF_ERROR(read_some());
    const TimeNs now = clock_->wall_now();
    while (emitted_ < end_) {
      const auto frame = framer_.next();
      if (!frame) break;
      if (frame->dropped.empty()) {
        take(frame->bytes, now, output);
      } else {
        output.drop(frame->dropped);
      }
    }
    return emitted_ < end_;
  }

  Status close() override {
    fd_.reset();
    lost_frame_ = framer_.reset();
    return {};
  }
  void drain_at(std::uint64_t items) override { end_ = std::min(end_.load(), items); }

 private:
  Error gone(std::string_view what) const {
    return {ErrorCode::kUnavailable, fmt::format("serial {}: {}, expected bytes; is it plugged in?", options_.port.device, what)};
  }

  /// Waits a little for bytes and takes those that are there.
  Status read_some() {
    constexpr int kLongestWaitMs = 50;
    pollfd wait{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    const int ready = ::poll(&wait, 1, kLongestWaitMs);
    if (ready == 0 || (ready < 0 && errno == EINTR)) return {};
    std::array<char, 4096> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read() fills it
    const ssize_t count = ::read(fd_.get(), bytes.data(), bytes.size());
    if (count > 0) {
      framer_.push({bytes.data(), static_cast<std::size_t>(count)});
      return {};
    }
    if (count == 0) return fail(gone("found its end"));
    if (errno == EINTR || (errno == EAGAIN && (wait.revents & (POLLHUP | POLLERR | POLLNVAL)) == 0)) return {};
    return fail(gone(errno == EAGAIN ? "hung up" : std::generic_category().message(errno)));
  }

  void take(std::string_view bytes, TimeNs now, Output& output) {
    if (bytes.empty()) return;  // an empty line is no record and no mistake
    Item item;
    item.event_time = now;
    const std::string_view reason = options_.format == "csv"    ? csv_.read(bytes, item)
                                    : options_.format == "json" ? read_json_record(options_.record, bytes, item)
                                                                : read_number_record(options_.record, bytes, item);
    if (!reason.empty()) return output.drop(reason);
    item.sequence = ++emitted_;
    output.emit(std::move(item));
  }

  const SerialOptions options_;
  Framer framer_;
  CsvRecords csv_;
  Clock* clock_ = nullptr;
  Descriptor fd_;
  bool lost_frame_ = false;  ///< the device went in the middle of one
  std::uint64_t emitted_ = 0;
  std::atomic<std::uint64_t> end_;
};

/// How frames are told apart, from the options that say it.
struct FramesReader {
  std::string frames = "line";
  std::string delimiter;
  std::string begin;
  std::int64_t length = 0;
  std::int64_t max_length = 4096;

  void read(ConfigReader& reader) {
    reader.choice("frames", &frames, {"line", "delimiter", "length"});
    reader.optional("delimiter", &delimiter);
    reader.optional("begin", &begin);
    reader.optional("length", &length, {.min = 1, .max = 65536});
    reader.optional("max_length", &max_length, {.min = 1, .max = 1e6});
  }
  Result<FrameOptions> finish(const ConfigObject& object) const {
    FrameOptions options;
    options.max_length = static_cast<std::size_t>(max_length);
    const bool by_length = frames == "length";
    if ((frames == "delimiter") == delimiter.empty() || by_length != (length > 0) || (!by_length && !begin.empty())) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: found frames by {} with {}, expected 'delimiter' with frames by delimiter, 'length' and perhaps 'begin' "
                              "with frames by length, and none of them with lines",
                              object.where(), frames, given()));
    }
    if (begin.size() > static_cast<std::size_t>(length)) {
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found frames of {} bytes that begin with {}, expected a longer frame",
                                                           object.where(), length, begin.size()));
    }
    options.lines = frames == "line";
    if (!options.lines) options.delimiter = delimiter;
    options.length = static_cast<std::size_t>(length);
    options.begin = begin;
    return options;
  }
  std::string given() const {
    std::vector<std::string_view> names;
    if (!delimiter.empty()) names.emplace_back("'delimiter'");
    if (length > 0) names.emplace_back("'length'");
    if (!begin.empty()) names.emplace_back("'begin'");
    return names.empty() ? "nothing more" : fmt::format("{}", fmt::join(names, " and "));
  }
};

Status check_port(const ConfigObject& object, const SerialPort& port) {
  if (std::ranges::find(serial_speeds(), port.baud) != serial_speeds().end()) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found baud {}, expected one of {}", object.find("baud")->where(), port.baud,
                                                       fmt::join(serial_speeds(), ", ")));
}

/// What a record is made of; of CSV without `columns` the fields in their order.
Status finish_record(const ConfigObject& object, const std::string& separator, SerialOptions& options) {
  if (options.format == "number" && (options.record.fields.size() != 1 || !options.record.time.empty())) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found {} fields{} for a number, expected one, and its time from the clock", object.where(),
                            options.record.fields.size(), options.record.time.empty() ? "" : " and a time"));
  }
  if (separator.size() != 1 || separator == "\"") {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found a separator of {} bytes, expected one character", object.where(), separator.size()));
  }
  options.separator = separator[0];
  for (const auto& field : options.record.fields) {
    if (!object.find("columns")) options.columns.push_back(field.name.text());
  }
  return {};
}

Result<std::unique_ptr<SourceStage>> create(const ConfigObject& object) {
  SerialOptions options;
  FramesReader frames;
  std::string separator = ",";
  std::optional<ConfigObject> fields;
  ConfigReader reader(object);
  reader.required("device", &options.port.device);
  reader.required("fields", &fields);
  reader.choice("format", &options.format, {"csv", "json", "number"}, true);
  reader.optional("baud", &options.port.baud, {.min = 1, .max = 1e8});
  reader.optional("data_bits", &options.port.data_bits, {.min = 7, .max = 8});
  reader.choice("parity", &options.port.parity, {"none", "even", "odd"});
  reader.optional("stop_bits", &options.port.stop_bits, {.min = 1, .max = 2});
  frames.read(reader);
  reader.optional("columns", &options.columns);
  reader.optional("separator", &separator);
  reader.optional("time", &options.record.time);
  reader.choice("time_unit", &options.record.time_unit, {"iso8601", "s", "ms", "us", "ns"});
  reader.optional("items", &options.items, {.min = 0, .max = 1e15});
  MORU_RETURN_IF_ERROR(reader.finish());
  MORU_RETURN_IF_ERROR(check_port(object, options.port));
  MORU_ASSIGN_OR_RETURN(options.frames, frames.finish(object));
  MORU_ASSIGN_OR_RETURN(options.record.fields, read_fields(*fields));
  MORU_RETURN_IF_ERROR(finish_record(object, separator, options));
  return std::make_unique<Serial>(std::move(options));
}

}  // namespace

extern const StageSpec kStage_serial;
const StageSpec kStage_serial{
    .name = "serial",
    .kind = StageKind::kSource,
    .doc = R"yaml(Reads records from a serial device: a line, a frame of a length, or what is between two delimiters.

Writes  the fields of `fields`

What is no record is dropped with its reason: "not a number", "too few columns", "bad quotes", "no JSON object", "wrong type",
"no time", "frame too long". After opening, what comes up to the first delimiter may be the rest of a frame and is dropped("cut off");
so is a frame in whose middle the device goes. While the device is away, the source is stale, and opens it again.

Options
  device: FILE
  fields: {NAME: TYPE}   int64, double or text; after a number's type its unit: {temperature: double degC}
  format: csv            or json (an object), number (of the one field)
  baud: 9600
  data_bits: 8           or 7
  parity: none           or even, odd; a byte that is wrong comes as 0
  stop_bits: 1           or 2
  frames: line           or delimiter, length
  delimiter: TEXT        what ends a frame: "\x03"
  length: BYTES          of a frame, with what it begins with
  begin: TEXT            what a frame of a length begins with; what lies between two frames is dropped("out of step")
  max_length: 4096       of a line, or between two delimiters
  columns: [NAME, ...]   of csv; without it the fields in their order
  separator: ","         of csv
  time: NAME             the column or key with the event time; without it the time at which the frame has come
  time_unit: iso8601     2026-11-23T17:35:00.123Z; or s, ms, us, ns since 1970
  items: 0               ends after so many; 0: when drained
)yaml",
    .example = R"yaml(apiVersion: moru.dev/v1
kind: Stream
metadata:
  name: scale
spec:
  stages:
    - name: scale
      stage: serial
      options: {device: /dev/ttyUSB0, baud: 19200, format: csv, columns: [id, weight], fields: {weight: double kg}, items: 3}
    - name: heavy
      stage: threshold
      inputs: [scale]
      options: {field: weight, on: 20, off: 19}
    - name: results
      stage: write_json
      inputs: [heavy]
      options: {path: weights.jsonl}
)yaml",
    .create_source = create,
    .needs = "a serial device",
};

}  // namespace moru::edge
