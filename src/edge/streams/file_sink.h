// SPDX-License-Identifier: Apache-2.0
// What sinks that write records to text files have in common: one file that rolls, lines, what is durable when.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "edge/streams/group_sink.h"
#include "edge/streams/rolling_file.h"

namespace moru::edge {

struct FileSinkOptions {
  Path path;
  std::vector<std::string> fields;
  bool append = true;
  std::string sync = "file";  ///< or never, group
  double max_mb = 0.0;        ///< 0: no limit
  double max_age_s = 0.0;     ///< 0: no limit
  std::string age = "wall";   ///< or event
  std::int64_t keep = 0;
  std::string where;
};

/// Reads the options that all of them have; the reader is finished by the caller.
struct FileSinkReader {
  FileSinkOptions options;
  std::string path;
  void read(ConfigReader& reader);
  FileSinkOptions finish(const ConfigObject& object);
};

class FileSink : public GroupSink {
 public:
  explicit FileSink(FileSinkOptions options);
  Status open(const StageContext& context) override;
  Status close() override { return file_.close(); }

 protected:
  const FileSinkOptions& options() const { return options_; }
  /// The line at the start of each file, without its end; empty: none.
  virtual std::string head() const { return {}; }
  /// Adds the item's line, with its end. `now`: monotonic.
  virtual void add_line(const Item& item, TimeNs now, std::string& lines) = 0;
  /// The event time in a line.
  virtual std::optional<TimeNs> time_of(std::string_view line) const = 0;
  Result<Stored> store(std::span<const Item> items) override;

 private:
  std::int64_t age_of(TimeNs time) const;
  bool is_old(const Item& item, TimeNs wall) const;
  Status begin_file();

  const FileSinkOptions options_;
  const std::uint64_t max_bytes_;
  const TimeNs max_age_;
  RollingFile file_;
  Clock* clock_ = nullptr;
  bool opened_ = false;              ///< once, at least
  std::optional<std::int64_t> age_;  ///< which span of max_age_ the file belongs to; none: no line yet
  std::string lines_;
};

}  // namespace moru::edge
