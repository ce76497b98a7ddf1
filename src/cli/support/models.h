// SPDX-License-Identifier: Apache-2.0
// Models from files, as commands need them: with a limit on memory, and ready to run on a backend.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "model/formats/formats.h"
#include "model/inspect/summary.h"
#include "runtime/backends/backend.h"

namespace CLI {
class App;
}

namespace moru::cli {

/// "512M", "4G", "100000": decimal units, as sizes are printed. kInvalidArgument naming `option`.
Result<std::uint64_t> parse_bytes(std::string_view text, std::string_view option);

struct LoadFlags {
  std::string max_memory = "4G";
};
void add_load_options(CLI::App& command, LoadFlags* flags);
Result<model::LoadOptions> load_options(const LoadFlags& flags);

/// What a backend loads: an ONNX or TFLite file's own bytes, with what lies in files beside it, or those that a graph's text would have as
/// such a file. Errors: those of load_model() and write_onnx().
Result<std::string> backend_bytes(const Path& path, const model::LoadOptions& options = {});

/// --batch N and --dim NAME=N: numbers for extents that a model leaves open.
struct DimFlags {
  std::int64_t batch = 1;
  std::vector<std::string> dims;
};
void add_dim_options(CLI::App& command, DimFlags* flags);
Result<model::DimBinding> dim_binding(const DimFlags& flags);

/// The name of a backend; of "auto" the one that `moru bench --backend auto` has chosen for this model, threads and dimensions.
/// kNotFound when it has not.
Result<std::string> resolve_backend(const std::string& name, const Path& model, int threads, const DimFlags& dims,
                                    const model::LoadOptions& options);

/// A model on a backend. Other than a session it takes files of any format, and the reference backend runs graphs whose outputs'
/// shapes only the run decides. Threads: one owner.
class ModelRunner {
 public:
  /// Errors: those of load_model() and load_session().
  static Result<ModelRunner> open(const Path& path, std::string_view backend, int threads, const model::LoadOptions& options);
  const std::string& path() const { return path_; }
  std::span<const runtime::Port> inputs() const { return inputs_; }
  std::span<const std::string> outputs() const { return outputs_; }
  /// `inputs` in the order of inputs(); the result is in the order of outputs().
  Result<std::vector<model::Tensor>> run(std::span<const model::Tensor> inputs);

 private:
  std::string path_;
  std::vector<runtime::Port> inputs_;
  std::vector<std::string> outputs_;
  std::optional<model::Graph> graph_;          ///< of the reference backend
  std::unique_ptr<runtime::Session> session_;  ///< of any other
};

}  // namespace moru::cli
