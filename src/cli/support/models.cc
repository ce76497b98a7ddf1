// SPDX-License-Identifier: Apache-2.0
#include "cli/support/models.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "cli/support/workers.h"
#include "core/text.h"
#include "model/formats/onnx/onnx.h"
#include "model/formats/tflite/tflite.h"
#include "model/ops/op.h"
#include "runtime/benchmark/choices.h"

namespace moru::cli {
namespace {

/// Runs here as it stands in the file, in any format and with all that its reader knows. A session of that backend is another thing: it
/// first makes the integer arithmetic of QDQ groups (docs/arithmetic.md) of an ONNX file's bytes, which a comparison of two files must not
/// do.
constexpr std::string_view kReference = "reference";

Result<std::vector<runtime::Port>> input_ports(const model::Graph& graph) {
  std::vector<runtime::Port> ports;
  for (const model::ValueId id : graph.inputs) {
    const model::Value& value = graph.value(id);
    if (!value.type.dtype || !value.type.shape) {
      return fail(ErrorCode::kUnsupported, fmt::format("input {}: found no type and shape, expected both", in_quotes(value.name)));
    }
    ports.push_back({value.name, *value.type.dtype, *value.type.shape});
  }
  return ports;
}

}  // namespace

Result<std::string> backend_bytes(const Path& path, const model::LoadOptions& options) {
  MORU_ASSIGN_OR_RETURN(const model::FileFormat* format, model::format_of(path));
  if (format->words == "onnx") return model::read_whole_onnx(path, {.max_memory_bytes = options.max_memory_bytes});
  if (!format->words.empty()) return read_file(path, options.max_memory_bytes);
  MORU_ASSIGN_OR_RETURN(const model::Graph graph, format->load(path, options));
  return model::words_of(graph) == "tflite" ? model::write_tflite(graph) : model::write_onnx(graph);
}

Result<std::uint64_t> parse_bytes(std::string_view text, std::string_view option) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found {}, expected bytes such as 100000, 512M or 4G", option, in_quotes(text)));
  };
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return bad();
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  std::uint64_t factor = 0;
  if (unit.empty()) factor = 1;
  if (unit == "K" || unit == "k") factor = 1'000;
  if (unit == "M") factor = 1'000'000;
  if (unit == "G") factor = 1'000'000'000;
  if (factor == 0 || __builtin_mul_overflow(value, factor, &value)) return bad();
  return value;
}

void add_load_options(CLI::App& command, LoadFlags* flags) {
  command.add_option("--max-memory", flags->max_memory, "What reading a model may take: bytes, or with K, M, G")->capture_default_str();
}

Result<model::LoadOptions> load_options(const LoadFlags& flags) {
  MORU_ASSIGN_OR_RETURN(const std::uint64_t bytes, parse_bytes(flags.max_memory, "--max-memory"));
  return model::LoadOptions{.max_memory_bytes = bytes};
}

void add_dim_options(CLI::App& command, DimFlags* flags) {
  command.add_option("--batch", flags->batch, "Extent of every dimension that the model leaves open")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command.add_option("--dim", flags->dims, "NAME=N: extent of the dimension of that name; may come again");
}

Result<model::DimBinding> dim_binding(const DimFlags& flags) {
  model::DimBinding binding{.named = {}, .others = flags.batch};
  for (const std::string& text : flags.dims) {
    const std::size_t equals = text.rfind('=');
    std::int64_t value = 0;
    bool fine = equals != text.npos && equals > 0;
    if (fine) {
      const char* begin = text.data() + equals + 1;
      const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
      constexpr std::int64_t kMostElements = std::int64_t{1} << 40U;
      fine = error == std::errc() && end == text.data() + text.size() && value >= 1 && value <= kMostElements;
    }
    if (!fine || !binding.named.emplace(text.substr(0, equals), value).second) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("--dim: found {}, expected NAME=N with a number of 1 or more, once a name", in_quotes(text)));
    }
  }
  return binding;
}

Result<std::string> resolve_backend(const std::string& name, const Path& model, int threads, const DimFlags& dims,
                                    const model::LoadOptions& options) {
  if (name != "auto") return name;
  MORU_ASSIGN_OR_RETURN(auto bytes, backend_bytes(model, options));
  MORU_ASSIGN_OR_RETURN(auto binding, dim_binding(dims));
  runtime::BenchmarkOptions wanted{.program = own_worker(), .threads = {threads}, .batches = {binding.others}};
  wanted.dims = std::move(binding.named);
  MORU_ASSIGN_OR_RETURN(const auto choices,
                        runtime::choose_fastest({model.string(), std::move(bytes)}, std::move(wanted), {.only_remembered = true}));
  return choices.front().row.backend;
}

Result<ModelRunner> ModelRunner::open(const Path& path, std::string_view backend, int threads, const model::LoadOptions& options) {
  ModelRunner runner;
  runner.path_ = path.string();
  if (backend == kReference) {
    MORU_ASSIGN_OR_RETURN(runner.graph_, model::load_model(path, options));
    MORU_ASSIGN_OR_RETURN_IN(runner.path_, runner.inputs_, input_ports(*runner.graph_));
    for (const model::ValueId id : runner.graph_->outputs) runner.outputs_.push_back(runner.graph_->value(id).name);
    return runner;
  }
  MORU_ASSIGN_OR_RETURN(const std::string bytes, backend_bytes(path, options));
  MORU_ASSIGN_OR_RETURN_IN(runner.path_, runner.session_, runtime::load_session(backend, bytes, {.threads = threads}));
  runner.inputs_.assign(runner.session_->inputs().begin(), runner.session_->inputs().end());
  for (const runtime::Port& port : runner.session_->outputs()) runner.outputs_.push_back(port.name);
  return runner;
}

Result<std::vector<model::Tensor>> ModelRunner::run(std::span<const model::Tensor> inputs) {
  auto outputs = graph_ ? model::evaluate(*graph_, inputs) : session_->run_once(inputs);
  if (!outputs) return fail(outputs.error().in("run " + path_));
  return outputs;
}

}  // namespace moru::cli
