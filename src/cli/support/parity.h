// SPDX-License-Identifier: Apache-2.0
// `moru model compare` and `convert`: two models on the same inputs.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "cli/noun.h"
#include "cli/support/models.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "runtime/measure/parity.h"

namespace moru::cli {

struct ParityFlags {
  std::vector<std::string> data;
  std::int64_t samples = 8;
  std::uint64_t seed = 1;
  std::string backend = "reference";
  int threads = 1;
  double max_error = -1.0;  ///< < 0: any
  DimFlags dims;
};
void add_parity_options(CLI::App& command, ParityFlags* flags);

struct ParityReport {
  std::string inputs;  ///< "8 seeded runs", "1000 runs of data"
  std::vector<runtime::Parity> outputs;
  double max_error = 0.0;  ///< of all outputs
  bool same_bits = true;
};

/// What answers as a model does. Its inputs and outputs are in the order of the names.
struct Answerer {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::function<Result<std::vector<model::Tensor>>(std::span<const model::Tensor> inputs)> run;
};

/// Runs a file and something else. Inputs and outputs of `found` are matched with those of `expected` by name, else by order. Errors: those
/// of loading and running; kInvalidArgument when they do not match; kCancelled.
Result<ParityReport> measure_parity(const Path& expected, const Answerer& found, const ParityFlags& flags,
                                    const model::LoadOptions& options);
/// The same of two files.
Result<ParityReport> measure_parity(const Path& expected, const Path& found, const ParityFlags& flags, const model::LoadOptions& options);

std::string to_text(const ParityReport& report);
Json to_json(const ParityReport& report);
/// Whether the report keeps to --max-error.
bool within(const ParityReport& report, const ParityFlags& flags);

}  // namespace moru::cli
