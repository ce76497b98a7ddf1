// SPDX-License-Identifier: Apache-2.0
// What sources that read whole files of a folder have in common: their order, those that arrive, pace.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/config.h"
#include "core/files.h"
#include "edge/streams/pace.h"
#include "edge/streams/stage.h"

namespace moru::edge {

struct FolderOptions {
  Path path;  ///< a file, or a folder whose files are read in the order of their names
  double rate_hz = 0.0;
  std::int64_t items = 0;
  bool watch = false;
  double settle_ms = 1000.0;
  std::string time = "clock";  ///< or file
  std::string where;
};

/// Reads the options that all of them have; the reader is finished by the caller.
struct FolderReader {
  FolderOptions options;
  std::string path;
  void read(ConfigReader& reader);
  FolderOptions finish(const ConfigObject& object);
};

/// Emits an item or several a file. A file that cannot be read is dropped with its reason, and the rest goes on.
class FolderSource : public SourceStage {
 public:
  FolderSource(FolderOptions options, std::vector<std::string> suffixes);
  Status open(const StageContext& context) override;
  Result<bool> produce(Output& output) override;
  void drain_at(std::uint64_t items) override;

 protected:
  const FolderOptions& options() const { return options_; }
  /// Begins with a file. An error: it is dropped.
  virtual Status begin_file(const Path& path) = 0;
  /// Puts the file's next fields into the item, and returns how long after the file's begin it happened; nothing at its end. An error:
  /// the rest of the file is dropped.
  virtual Result<std::optional<TimeNs>> next(Item& item) = 0;

 private:
  struct Seen {
    std::uint64_t size = 0;
    std::filesystem::file_time_type written;
    TimeNs since = 0;  ///< monotonic, when it was first seen so
    bool taken = false;
    std::uint64_t look = 0;  ///< the last one that has seen it
  };
  Status look();
  bool is_wanted(const Path& path) const;
  void read_item(Output& output);
  void drop_file(Output& output, const Error& error);
  bool is_due(Item& item);

  const FolderOptions options_;
  const std::vector<std::string> suffixes_;
  Clock* clock_ = nullptr;
  Pace pace_;
  std::map<Path, Seen> seen_;  ///< what is in the folder
  std::uint64_t looks_ = 0;
  TimeNs next_look_ = 0;     ///< monotonic; 0: at once
  std::vector<Path> files_;  ///< to be read, the first last
  bool in_file_ = false;
  Path file_;
  TimeNs written_ = 0;  ///< wall clock, of the file at hand
  std::optional<Item> pending_;
  TimeNs due_ = 0;  ///< monotonic, of the item at hand
  bool told_ = false;
  std::uint64_t emitted_ = 0;
  std::atomic<std::uint64_t> end_;
};

}  // namespace moru::edge
