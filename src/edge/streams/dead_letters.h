// SPDX-License-Identifier: Apache-2.0
// Items that a stage has rejected, kept in a file to be looked at and sent again.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/config.h"
#include "core/files.h"
#include "edge/streams/item.h"

namespace moru::edge {

struct DeadLetterOptions {
  Path path;
  std::uint64_t max_bytes = std::uint64_t{16} << 20U;  ///< of the file and the one before it, together
  std::vector<std::string> reasons;                    ///< only these; empty: all but those that say what a stage is for ("filtered")
};

/// `dead_letters: FILE`, or `{path: FILE, max_bytes: N, reasons: [...]}`.
Result<DeadLetterOptions> read_dead_letters(const ConfigObject& object);

/// One JSON object a line: the item as write_json has it, without its latency, and "dead.stream", "dead.stage", "dead.reason",
/// "dead.detail" (of an error), "dead.at" (ns since 1970); of what was no item yet, "dead.raw" instead of the item. `read_ndjson`
/// reads it. When the file has half of max_bytes it becomes FILE.old and a new one is begun; what FILE.old had is discarded.
/// Threads: all functions from any thread.
class DeadLetters {
 public:
  struct Counts {
    std::uint64_t written = 0;
    std::uint64_t discarded = 0;  ///< written once, and gone with an old file
    std::uint64_t failed = 0;     ///< could not be written
  };
  /// Appends to the file that is there. Errors: kIo.
  static Result<std::shared_ptr<DeadLetters>> open(DeadLetterOptions options, std::string stream, Clock& clock);

  /// Nothing for a reason that is not asked for.
  void add(std::string_view stage, std::string_view reason, std::string_view detail, const Item& item);
  void add_raw(std::string_view stage, std::string_view reason, std::string_view raw);
  Counts counts() const;
  const Path& path() const { return options_.path; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  DeadLetters(DeadLetterOptions options, std::string stream, Clock& clock)
      : options_(std::move(options)), stream_(std::move(stream)), clock_(clock) {}
  bool is_wanted(std::string_view reason) const;
  Status begin_file();
  void write(std::string line);
  bool rotate();

  const DeadLetterOptions options_;
  const std::string stream_;
  Clock& clock_;
  mutable std::mutex mutex_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t bytes_ = 0;
  std::uint64_t lines_ = 0;      ///< in the file
  std::uint64_t old_lines_ = 0;  ///< in FILE.old
  bool failing_ = false;
  Counts counts_;
};

}  // namespace moru::edge
