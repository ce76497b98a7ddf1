// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/litert/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "core/text.h"
#include "model/formats/tflite/tflite.h"
#include "runtime/backends/litert/scales.h"
#include "runtime/backends/litert/session.h"
#include "runtime/backends/litert/shapes.h"
#include "runtime/backends/litert/words.h"

namespace moru::runtime::litert {
namespace {

using model::Graph;

constexpr std::string_view kLoad = "load model";
constexpr std::string_view kXnnpack = "xnnpack";
constexpr std::string_view kBuiltin = "builtin";
constexpr std::string_view kReference = "reference";
constexpr std::string_view kCustomDomain = "tflite.custom";
constexpr std::string_view kSignatureKey = "tflite.signature:";

Status ok(Code code) { return take(code, kLoad, ErrorCode::kUnsupported); }

std::unexpected<Error> unsupported(std::string_view what) { return fail(ErrorCode::kUnsupported, fmt::format("{}: {}", kLoad, what)); }

std::string setting(const SessionOptions& options, std::string_view name, std::string_view otherwise) {
  const auto found = options.settings.find(std::string(name));
  return found == options.settings.end() ? std::string(otherwise) : found->second;
}

/// XNNPACK writes outputs whose shape only a run decides beyond their memory; the other kernels look first.
Result<std::string> kernels_of(const SessionOptions& options, bool shapes_follow) {
  std::string kernels = setting(options, kKernels, shapes_follow ? kXnnpack : kBuiltin);
  if (kernels == kXnnpack && !shapes_follow) {
    return unsupported(
        fmt::format("found shapes that depend on values, expected others with the setting {} = {}; take {}", kKernels, kXnnpack, kBuiltin));
  }
  if (kernels == kXnnpack || kernels == kBuiltin || kernels == kReference) return kernels;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("setting {}: found {}, expected {}, {} or {}", kKernels, in_quotes(kernels), kXnnpack, kBuiltin, kReference));
}

/// Refuses what the interface cannot carry, or carries wrongly.
Status check_ports(const Graph& graph, const Parts& parts) {
  for (const auto* ports : {&parts.inputs, &parts.outputs}) {
    for (const Port& port : *ports) {
      if (port.name.find('\0') != port.name.npos)
        return unsupported(fmt::format("found the name {}, expected one without a zero", in_quotes(port.name)));
      if (element_type(port.dtype) == nullptr || port.shape.size() > kMaxRank) {
        return unsupported(
            fmt::format("found {}, expected a number or bool of 8 to 64 bits and a rank of at most {}", describe(port), kMaxRank));
      }
    }
  }
  // Memory is bound to the model's tensors, so that each can have only one.
  std::set<model::ValueId> bound(graph.inputs.begin(), graph.inputs.end());
  for (const auto id : graph.outputs) {
    if (bound.insert(id).second) continue;
    return unsupported(
        fmt::format("found output '{}', which is an input or another output too, expected one of its own", graph.value(id).name));
  }
  return {};
}

class Loader {
 public:
  Loader(const Api& api, const SessionOptions& options) : api_(api), options_(options) {}

  Result<Parts> load(std::string_view tflite) {
    MORU_ASSIGN_OR_RETURN(const Graph graph, model::read_tflite(tflite, kLoad));
    parts_.shapes_follow = shapes_follow_inputs(graph);
    MORU_ASSIGN_OR_RETURN(const std::string kernels, kernels_of(options_, parts_.shapes_follow));
    MORU_ASSIGN_OR_RETURN(parts_.inputs, ports_of(graph, graph.inputs));
    MORU_ASSIGN_OR_RETURN(parts_.outputs, ports_of(graph, graph.outputs));
    MORU_RETURN_IF_ERROR(check_ports(graph, parts_));
    MORU_RETURN_IF_ERROR_IN(kLoad, check_scales(graph));
    MORU_RETURN_IF_ERROR(make_environment());
    MORU_RETURN_IF_ERROR(make_model(graph));
    MORU_RETURN_IF_ERROR(compile_model(kernels));
    MORU_RETURN_IF_ERROR(allocate(graph));
    return std::move(parts_);
  }

 private:
  Status make_environment() {
    if (const std::string library = setting(options_, kDelegate, ""); !library.empty()) {
      MORU_ASSIGN_OR_RETURN(parts_.delegate, ExternalDelegate::create(library, setting(options_, kDelegateOptions, "")));
    }
    // Left alone it would look for libraries of GPUs and NPUs to load.
    const EnvironmentOption no_accelerators = {EnvironmentTag::kAutoRegisterAccelerators, {.value = kNoHardware}};
    Environment* made = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.create_environment(1, &no_accelerators, &made)));
    parts_.environment = Handle<Environment>(made, {api_.destroy_environment});
    return register_accelerators(api_, made, parts_.delegate.get() != nullptr);
  }

  /// LiteRT trusts its models. What it gets is what our writer makes of what our reader has verified: nothing else of the file.
  Status make_model(Graph graph) {
    // Without signatures it finds tensors by their own names, which are all different here.
    std::erase_if(graph.metadata, [](const auto& entry) { return entry.first.starts_with(kSignatureKey); });
    MORU_ASSIGN_OR_RETURN_IN(kLoad, parts_.bytes, model::write_tflite(graph));
    LoadedModel* made = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.create_model(parts_.bytes.data(), parts_.bytes.size(), &made)));
    parts_.loaded = Handle<LoadedModel>(made, {api_.destroy_model});
    return {};
  }

  Result<Handle<Options>> make_options(std::string_view kernels) const {
    Options* made = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.create_options(&made)));
    Handle<Options> options(made, {api_.destroy_options});
    MORU_RETURN_IF_ERROR(ok(api_.set_hardware(made, kCpu)));
    // The options of the kind "xnnpack" are those of the CPU, whatever its kernels; their payload is text.
    char* payload = ::strdup(fmt::format("kernel_mode = \"{}\"\nnum_threads = {}\n", kernels, options_.threads).c_str());
    OpaqueOptions* cpu = nullptr;
    MORU_RETURN_IF_ERROR(ok(api_.create_opaque_options("xnnpack", payload, std::free, &cpu)));
    MORU_RETURN_IF_ERROR(ok(api_.add_opaque_options(made, cpu)));
    return options;
  }

  Status compile_model(std::string_view kernels) {
    MORU_ASSIGN_OR_RETURN(const auto options, make_options(kernels));
    CompiledModel* made = nullptr;
    MORU_RETURN_IF_ERROR(ok(compile(api_, parts_.environment.get(), parts_.loaded.get(), options.get(), parts_.delegate.get(), &made)));
    parts_.compiled = Handle<CompiledModel>(made, {api_.destroy_compiled_model});
    return {};
  }

  /// It looks for custom ops, and at the shapes, only when memory is planned. With extents that the caller will say it plans for
  /// extents of 1, which may be none that the model can have; what is wrong then shows in the first run.
  Status allocate(const Graph& graph) {
    std::vector<Layout> layouts(parts_.outputs.size());
    Status planned = ok(api_.output_layouts(parts_.compiled.get(), 0, layouts.size(), layouts.data(), true));
    const bool open = std::ranges::any_of(parts_.inputs, [](const Port& port) {
      return std::ranges::any_of(port.shape, [](const model::Dim& dim) { return !dim.known(); });
    });
    const bool custom = std::ranges::any_of(graph.nodes(), [](const model::Node& node) { return node.domain == kCustomDomain; });
    if (!planned && (!open || custom)) return planned;
    for (std::size_t i = 0; !open && i < layouts.size(); ++i) MORU_RETURN_IF_ERROR(check_layout(parts_.outputs[i], layouts[i]));
    return {};
  }

  /// The file may say other shapes than its ops make.
  static Status check_layout(const Port& port, const Layout& layout) {
    bool same = layout.rank == port.shape.size();
    for (std::size_t i = 0; same && i < layout.rank; ++i) same = !port.shape[i].known() || port.shape[i].value == layout.dimensions[i];
    if (same) return {};
    const model::Dims made(layout.dimensions, layout.dimensions + std::min<std::size_t>(layout.rank, kMaxRank));
    return fail(ErrorCode::kCorrupt,
                fmt::format("{}: found {}, but LiteRT makes {}, expected the same", kLoad, describe(port), model::to_string(made)));
  }

  const Api& api_;
  const SessionOptions& options_;
  Parts parts_;
};

}  // namespace

Result<std::unique_ptr<Session>> load_model(const Api& api, std::string_view tflite, const SessionOptions& options) {
  forget_words();
  MORU_ASSIGN_OR_RETURN(Parts parts, Loader(api, options).load(tflite));
  return std::make_unique<LiteRtModel>(api, std::move(parts));
}

}  // namespace moru::runtime::litert
