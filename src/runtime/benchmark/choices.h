// SPDX-License-Identifier: Apache-2.0
// Which backend was the fastest that is right, remembered per model and machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "runtime/benchmark/benchmark.h"

namespace moru::runtime {

/// What a choice depends on. Another version of a backend, or one more of them, is another key: it must be measured anew.
struct ChoiceKey {
  std::string model;     ///< SHA-256 of the file's bytes
  std::string machine;   ///< CPU, cores and ISA
  std::string backends;  ///< those that are here, with versions
  std::string dims;      ///< "N=4"
  int threads = 1;
  std::int64_t batch = 1;
  bool operator==(const ChoiceKey&) const = default;
};

struct Choice {
  ChoiceKey key;
  BenchmarkRow row;
  std::string when;  ///< "2026-11-23T17:35:00Z"
};

/// The file of choices, $MORU_HOME/bench/choices.json. Threads: one owner; of two processes that save, the later one's stands.
class Choices {
 public:
  /// No file is no choices. Errors: kCorrupt for a file that is none of ours.
  static Result<Choices> load(const Path& path);
  const Choice* find(const ChoiceKey& key) const;
  /// In the place of an older one; the oldest go above 1000.
  void remember(Choice choice);
  Status save() const;

 private:
  explicit Choices(Path path) : path_(std::move(path)) {}
  Path path_;
  std::vector<Choice> all_;
};
Path choices_file();

/// The rows' fastest that is right; nothing when none is.
const BenchmarkRow* fastest(const std::vector<BenchmarkRow>& rows);

/// One for each combination of options.batches and options.threads. `remembered` says that it was measured before.
struct AutoChoice {
  BenchmarkRow row;
  std::string note;  ///< "onnxruntime is the fastest of 2 that are right", "remembered since ..."
  bool remembered = false;
};
struct AutoOptions {
  Path choices = choices_file();
  bool fresh = false;            ///< measure again what is remembered
  bool only_remembered = false;  ///< measure nothing: kNotFound for what is not remembered, with the command that measures it
};
/// Benchmarks all backends that are here but the reference (options.backends is not looked at) where it does not know the answer. A
/// combination that no backend does right has a row that says so. Errors: those of benchmark(); kUnavailable when no backend is here.
Result<std::vector<AutoChoice>> choose_fastest(const BenchmarkModel& model, BenchmarkOptions options, const AutoOptions& how = {});

}  // namespace moru::runtime
