// SPDX-License-Identifier: Apache-2.0
// Records in text: a line of CSV, a JSON object, a number. What sources of files, serial lines and messages have in common.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/json_fwd.h"
#include "edge/streams/schema.h"

namespace moru::edge {

/// Which fields a record has, and where its time is.
struct RecordOptions {
  std::vector<FieldSpec> fields;
  std::string time;                   ///< the column or key with the event time; empty: the source says it
  std::string time_unit = "iso8601";  ///< or s, ms, us, ns since 1970
};

/// The event time in a text: ISO 8601 in UTC ("2026-11-23T17:35:00.123Z", the fraction up to ns), or a number in the unit.
std::optional<TimeNs> parse_time(std::string_view text, std::string_view unit);

// All readers put a record's fields and, where the options name one, its time into the item; they return "" or, in a few words, why it
// is no record. What is then in the item does not matter.

/// Lines of CSV, as RFC 4180 has them within a line. Threads: one at a time.
class CsvRecords {
 public:
  /// `options` is borrowed.
  CsvRecords(const RecordOptions& options, char separator) : options_(options), separator_(separator) {}
  /// Whether it is known where the fields stand.
  bool has_columns() const { return !columns_.empty(); }
  void forget_columns() { columns_.clear(); }
  /// The line that names the columns.
  Status set_head(std::string_view line);
  Status set_columns(std::vector<std::string> names);
  /// "not a number", "no time", "too few columns", "bad quotes". An empty value leaves its field out.
  std::string_view read(std::string_view line, Item& item);

 private:
  Status find_column(const std::string& name, std::size_t& column);
  bool split_line(std::string_view line);

  const RecordOptions& options_;
  const char separator_;
  std::size_t time_column_ = SIZE_MAX;
  std::vector<std::size_t> columns_;  ///< of each field
  std::vector<std::string> values_;   ///< of the line at hand
};

/// "no JSON object", "wrong type", "no time". A key that is missing or null leaves its field out.
std::string_view read_json_record(const RecordOptions& options, std::string_view text, Item& item);

/// What is wrong with a text of several records.
struct BodyMistake {
  std::string_view reason;  ///< of read_json_record()
  std::string raw;          ///< the record
  std::string sentence;     ///< which one it is, and why
};
/// The records of a body: an object, an array of them or, with `lines`, one a line (blank ones do not count). Each gets a copy of `blank`,
/// whose time counts where the options name none. All of them are added to `items`, or it is said what is wrong with one.
std::optional<BodyMistake> read_json_body(const RecordOptions& options, bool lines, std::string_view body, const Item& blank,
                                          std::vector<Item>& items);

/// A text that is one number, for the first field; blanks around it do not count. "not a number".
std::string_view read_number_record(const RecordOptions& options, std::string_view text, Item& item);

}  // namespace moru::edge
