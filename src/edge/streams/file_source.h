// SPDX-License-Identifier: Apache-2.0
// What sources that read records from text files have in common: files, lines, times, pace.
#pragma once

#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/files.h"
#include "edge/streams/pace.h"
#include "edge/streams/record.h"
#include "edge/streams/stage.h"

namespace moru::edge {

struct FileSourceOptions : RecordOptions {
  Path path;           ///< a file, or a folder whose files with `suffix` are read in the order of their names
  double speed = 0.0;  ///< of event time; 0: as fast as they are taken
  std::int64_t items = 0;
  std::string where;
};

/// Reads the options that all of them have; the reader is finished by the caller. Errors: those of read_fields.
struct FileSourceReader {
  FileSourceOptions options;
  std::string path;
  std::optional<ConfigObject> fields;
  void read(ConfigReader& reader);
  Result<FileSourceOptions> finish(const ConfigObject& object);
};

/// Lines of a file, without their ends. A line beyond 1 MiB is given as its first part, and the rest is skipped.
class LineFile {
 public:
  static constexpr std::size_t kMaxLine = std::size_t{1} << 20U;
  static Result<LineFile> open(const Path& path);
  /// False at the end. Errors: kIo.
  Result<bool> next(std::string& line, bool& too_long);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  LineFile() = default;
  std::unique_ptr<std::FILE, Close> file_;
  Path path_;
};

/// Emits an item a line. A line that is no record is dropped with its reason, and the rest goes on.
class FileSource : public SourceStage {
 public:
  FileSource(FileSourceOptions options, std::string suffix);
  Result<Schema> bind() override;
  Status open(const StageContext& context) override;
  Result<bool> produce(Output& output) override;
  void drain_at(std::uint64_t items) override;

 protected:
  const FileSourceOptions& options() const { return options_; }
  /// A new file begins.
  virtual void begin_file() {}
  /// Whether the line is a head and no record; an error where it does not name the fields.
  virtual Result<bool> is_head(std::string_view line) {
    static_cast<void>(line);
    return false;
  }
  /// Puts the line's fields and, where the options name one, its time into the item; "" or why it is no record.
  virtual std::string_view parse(std::string_view line, Item& item) = 0;

 private:
  Status list_files();
  Result<bool> read_item(Output& output);
  bool wait_for(const Item& item);

  const FileSourceOptions options_;
  const std::string suffix_;
  Clock* clock_ = nullptr;
  Pace pace_;
  std::vector<Path> files_;
  std::size_t file_ = 0;    ///< index of the one that is read
  std::uint64_t line_ = 0;  ///< of it, that have been read
  std::optional<LineFile> current_;
  std::optional<Item> pending_;  ///< read, and not due yet
  std::string text_;
  TimeNs first_time_ = 0;  ///< event time of the first item
  TimeNs started_ = 0;     ///< monotonic, when that was due; 0: none yet
  std::uint64_t emitted_ = 0;
  std::atomic<std::uint64_t> end_;
};

}  // namespace moru::edge
