// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/openvino/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "runtime/backends/model_bytes.h"

namespace moru::runtime::openvino {
namespace {

using model::DType;
using model::Graph;

constexpr std::string_view kLoad = "load model";
constexpr std::string_view kCpu = "CPU";

struct TypePair {
  DType ours;
  ov_element_type_e theirs;
};
/// Not its I4 and U4: 2026.4's plug-in for CPUs copies a byte for each element of such a port, past the end of what it allocated.
constexpr TypePair kTypes[] = {
    {DType::kFloat32, F32},   {DType::kFloat64, F64},         {DType::kInt8, I8},           {DType::kUInt8, U8},
    {DType::kInt16, I16},     {DType::kUInt16, U16},          {DType::kInt32, I32},         {DType::kUInt32, U32},
    {DType::kInt64, I64},     {DType::kUInt64, U64},          {DType::kBool, BOOLEAN},      {DType::kFloat16, F16},
    {DType::kBFloat16, BF16}, {DType::kFloat8E4M3FN, F8E4M3}, {DType::kFloat8E5M2, F8E5M3},
};

Result<DType> from_theirs(ov_element_type_e type, std::string_view name) {
  for (const auto& pair : kTypes) {
    if (pair.theirs == type) return pair.ours;
  }
  return fail(ErrorCode::kUnsupported, fmt::format("{}: '{}' has OpenVINO's element type {}, expected a number or bool of 8 to 64 bits",
                                                   kLoad, name, static_cast<int>(type)));
}

/// Calls of the library while a model is loaded.
class Loader {
 public:
  explicit Loader(const Library& library) : library_(library), api_(library.api) {}

  Result<Handle<ov_model_t>> read(const ModelBytes& model) const {
    ov_model_t* raw = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.core_read_model_from_memory_buffer(library_.core, model.bytes.data(), model.bytes.size(), nullptr, &raw)));
    return Handle<ov_model_t>(raw, {api_.model_free});
  }

  Result<Handle<ov_compiled_model_t>> compile(const ov_model_t* model, const std::string& device, const SessionOptions& options) const {
    MORU_ASSIGN_OR_RETURN(auto compiled, compile_for(options.threads, model, device, options));
    // It takes fewer threads where there are fewer cores.
    if (device != kCpu || options.threads == 1 || property(compiled.get(), "INFERENCE_NUM_THREADS") != "1") return compiled;
    return compile_for(1, model, device, options);
  }

  Result<std::vector<Port>> ports(const ov_compiled_model_t* model, bool inputs, const Graph* graph) const {
    std::size_t count = 0;
    MORU_RETURN_IF_ERROR(ok(inputs ? api_.compiled_model_inputs_size(model, &count) : api_.compiled_model_outputs_size(model, &count)));
    std::vector<const model::Value*> ours = values_of(model, inputs, count, graph);
    std::vector<Port> all;
    for (std::size_t i = 0; i < count; ++i) {
      MORU_ASSIGN_OR_RETURN(const auto theirs, port_at(model, inputs, i));
      MORU_ASSIGN_OR_RETURN(auto port, make_port(theirs.get(), ours[i], fmt::format("{}{}", inputs ? "input" : "output", i)));
      all.push_back(std::move(port));
    }
    return all;
  }

 private:
  using ConstPort = Handle<ov_output_const_port_t>;

  Status ok(ov_status_e status) const { return check(api_, status, kLoad, ErrorCode::kUnsupported); }

  Result<Handle<ov_compiled_model_t>> compile_for(int thread_count, const ov_model_t* model, const std::string& device,
                                                  const SessionOptions& options) const {
    const std::string threads = std::to_string(thread_count);
    std::vector<ov_property_t> properties = {{"PERFORMANCE_HINT", "LATENCY"}};
    if (const auto precision = options.settings.find("precision"); precision != options.settings.end()) {
      properties.push_back({"INFERENCE_PRECISION_HINT", precision->second.c_str()});
    } else {
      // Left to itself it computes in bf16 where the machine can, and quantises what it likes.
      properties.push_back({"EXECUTION_MODE_HINT", "ACCURACY"});
    }
    if (device == kCpu) {
      properties.push_back({"INFERENCE_NUM_THREADS", threads.c_str()});
      // In a stream of one thread it loses what goes wrong in a run, and says that all is well. Without a stream the caller's thread
      // does the work, and hears of it.
      properties.push_back({"NUM_STREAMS", thread_count == 1 ? "0" : "1"});
      // Several models on one machine would all be tied to its first cores.
      properties.push_back({"ENABLE_CPU_PINNING", "NO"});
    }
    ov_compiled_model_t* raw = nullptr;
    MORU_RETURN_IF_ERROR(
        ok(api_.core_compile_model_props(library_.core, model, device.c_str(), properties.size(), properties.data(), &raw)));
    return Handle<ov_compiled_model_t>(raw, {api_.compiled_model_free});
  }

  /// Empty for one that the device does not have.
  std::string property(const ov_compiled_model_t* model, const char* key) const {
    char* raw = nullptr;
    if (api_.compiled_model_get_property(model, key, &raw) != OK) return "";
    std::string value(raw);
    api_.free(raw);
    return value;
  }

  Result<ConstPort> port_at(const ov_compiled_model_t* model, bool inputs, std::size_t index) const {
    ov_output_const_port_t* raw = nullptr;
    MORU_RETURN_IF_ERROR(
        ok(inputs ? api_.compiled_model_input_by_index(model, index, &raw) : api_.compiled_model_output_by_index(model, index, &raw)));
    return ConstPort(raw, {api_.output_const_port_free});
  }

  /// One of the port's names; empty for one without any.
  std::string any_name(const ov_output_const_port_t* port) const {
    char* raw = nullptr;
    if (port == nullptr || api_.port_get_any_name(port, &raw) != OK) return "";
    std::string name(raw);
    api_.free(raw);
    return name;
  }

  /// One of the names of the port that has `name` among its own.
  std::string any_name(const ov_compiled_model_t* model, bool inputs, const std::string& name) const {
    ov_output_const_port_t* raw = nullptr;
    const auto status = inputs ? api_.compiled_model_input_by_name(model, name.c_str(), &raw)
                               : api_.compiled_model_output_by_name(model, name.c_str(), &raw);
    if (status != OK) return "";
    return any_name(ConstPort(raw, {api_.output_const_port_free}).get());
  }

  /// The graph's inputs or outputs in the order of the library's. All null when there is no graph, or when a name of it is not that of
  /// the port in its place.
  std::vector<const model::Value*> values_of(const ov_compiled_model_t* model, bool inputs, std::size_t count, const Graph* graph) const {
    std::vector<const model::Value*> none(count, nullptr);
    if (graph == nullptr) return none;
    const auto& ids = inputs ? graph->inputs : graph->outputs;
    if (ids.size() != count) return none;
    std::vector<const model::Value*> values;
    for (std::size_t i = 0; i < count; ++i) {
      values.push_back(&graph->value(ids[i]));
      const auto port = port_at(model, inputs, i);
      const std::string name = port ? any_name(port->get()) : "";
      if (name.empty() || name != any_name(model, inputs, values.back()->name)) return none;
    }
    return values;
  }

  /// The library forgets which extents have one symbol, and which of several names stood in the file: `ours` knows.
  Result<Port> make_port(const ov_output_const_port_t* theirs, const model::Value* ours, std::string nameless) const {
    Port port;
    port.name = ours != nullptr ? ours->name : any_name(theirs);
    if (port.name.empty()) port.name = std::move(nameless);
    ov_element_type_e type = DYNAMIC;
    MORU_RETURN_IF_ERROR(ok(api_.port_get_element_type(theirs, &type)));
    MORU_ASSIGN_OR_RETURN(port.dtype, from_theirs(type, port.name));
    MORU_ASSIGN_OR_RETURN(const auto known, shape_of(theirs));
    const auto symbolic = ours != nullptr ? ours->type.shape : std::nullopt;
    if (!known && !symbolic) {
      return fail(ErrorCode::kUnsupported, fmt::format("{}: found no rank of '{}', expected one", kLoad, port.name));
    }
    port.shape = known ? *known : *symbolic;
    if (known && symbolic && symbolic->size() == known->size()) {
      for (std::size_t i = 0; i < known->size(); ++i) {
        if (!port.shape[i].known()) port.shape[i] = (*symbolic)[i];
      }
    }
    return port;
  }

  /// Nullopt for a rank that is not known.
  Result<std::optional<model::SymbolicShape>> shape_of(const ov_output_const_port_t* port) const {
    ov_partial_shape_t raw{};
    MORU_RETURN_IF_ERROR(ok(api_.port_get_partial_shape(port, &raw)));
    std::optional<model::SymbolicShape> shape;
    if (raw.rank.min == raw.rank.max) {
      shape.emplace();
      for (std::int64_t i = 0; i < raw.rank.max; ++i) shape->push_back({raw.dims[i].min == raw.dims[i].max ? raw.dims[i].min : -1, ""});
    }
    api_.partial_shape_free(&raw);
    return shape;
  }

  const Library& library_;
  const Api& api_;
};

/// The library's name of a device of ours.
Result<std::string> device_of(const Library& library, const std::string& device) {
  if (device.empty() || device == "cpu") return std::string(kCpu);  // without a look at the others, which loads their plug-ins
  std::vector<std::string> names;
  for (const Device& found : devices(library)) names.push_back(found.name);
  if (std::ranges::find(names, device) == names.end()) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("backend openvino: found no device '{}' on this machine, expected {}", device,
                            names.empty() ? "one: it has none" : fmt::format("one of {}", fmt::join(names, ", "))));
  }
  std::string theirs = device;
  std::ranges::transform(theirs, theirs.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return theirs;
}

Status check_settings(const SessionOptions& options) {
  constexpr std::string_view kPrecisions[] = {"f32", "bf16", "f16"};
  const auto precision = options.settings.find("precision");
  if (precision == options.settings.end() || std::ranges::find(kPrecisions, precision->second) != std::end(kPrecisions)) return {};
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("backend openvino: found precision '{}', expected one of {}", precision->second, fmt::join(kPrecisions, ", ")));
}

}  // namespace

ov_element_type_e to_theirs(DType dtype) {
  return std::ranges::find_if(kTypes, [dtype](const TypePair& pair) { return pair.ours == dtype; })->theirs;
}

Result<Loaded> load_model(const Library& library, const ModelBytes& model, const SessionOptions& options) {
  MORU_RETURN_IF_ERROR(check_settings(options));
  MORU_ASSIGN_OR_RETURN(const std::string device, device_of(library, options.device));
  // Damaged files go no further than our reader, which checks each offset. What it just does not know may well run.
  auto graph = graph_of(model);
  if (!graph && graph.error().code == ErrorCode::kCorrupt) return fail(std::move(graph).error());
  const Loader loader(library);
  MORU_ASSIGN_OR_RETURN(const auto read, loader.read(model));
  MORU_ASSIGN_OR_RETURN(auto compiled, loader.compile(read.get(), device, options));
  MORU_ASSIGN_OR_RETURN(auto inputs, loader.ports(compiled.get(), true, graph ? &*graph : nullptr));
  MORU_ASSIGN_OR_RETURN(auto outputs, loader.ports(compiled.get(), false, graph ? &*graph : nullptr));
  return Loaded{std::move(compiled), std::move(inputs), std::move(outputs)};
}

}  // namespace moru::runtime::openvino
