// SPDX-License-Identifier: Apache-2.0
// The verbs of `moru stream`, one file each in this folder.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/noun.h"
#include "core/json_fwd.h"
#include "edge/streams/stream.h"

namespace CLI {
class App;
}

namespace moru::cli {

void add_stream_check(CLI::App& app, std::function<Outcome()>* run);
void add_stream_run(CLI::App& app, std::function<Outcome()>* run);
void add_stream_record(CLI::App& app, std::function<Outcome()>* run);
void add_stream_replay(CLI::App& app, std::function<Outcome()>* run);
void add_stream_ledger(CLI::App& app, std::function<Outcome()>* run);
void add_stream_tap(CLI::App& app, std::function<Outcome()>* run);
void add_stream_top(CLI::App& app, std::function<Outcome()>* run);

/// The stream file that a verb works on.
struct StreamFile {
  std::string file;
  std::vector<std::string> values;  ///< NAME=VALUE

  void add_to(CLI::App& command);
  Result<edge::StreamSpec> read() const;
};

/// Tells when that file has changed to another right one. What is wrong with a changed file is logged, once a change.
class StreamFileWatch {
 public:
  explicit StreamFileWatch(StreamFile file) : file_(std::move(file)), seen_(stamp()) {}
  /// What the file says now; nothing when it is as it was, or wrong. `name`: of the stream, which cannot change, as others know it by that.
  /// Looks at the file each time.
  std::optional<edge::StreamSpec> changed(std::string_view name);

 private:
  /// Another after every write, and when the path leads to another file. A file that is not there has one, too.
  std::string stamp() const;
  const StreamFile file_;
  std::string seen_;
};

/// The models that its stages ask for by a name.
struct StreamModels {
  std::string bundle;
  std::string key;
  std::string onnx;
  std::string activation = "softmax";
  std::string backend = "onnxruntime";

  void add_to(CLI::App& command);
  /// Puts a slot for each name in the context. Each has a session of its own: two stages run at the same time.
  Status load(const edge::StreamSpec& spec, const std::string& file, edge::StageContext& context) const;
};

/// What `moru stream run` says at its end and `moru stream ledger` shows, as text; what a report from outside lacks is shown as 0 or "".
std::string stream_report_text(const Json& report);

}  // namespace moru::cli
