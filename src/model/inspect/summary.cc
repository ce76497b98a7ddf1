// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

#include "core/text.h"
#include "model/inspect/bodies.h"
#include "model/inspect/quantisation.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"

namespace moru::model {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

void add(std::int64_t* sum, std::int64_t more) {
  if (__builtin_add_overflow(*sum, more, sum)) *sum = kMost;
}

/// Follows what lives while the nodes run, one after the other.
class Lifetimes {
 public:
  explicit Lifetimes(const Graph& graph) : graph_(graph), last_use_(graph.value_count(), kNever) {
    const auto end = std::ssize(graph.nodes());
    for (std::int64_t i = 0; i < end; ++i) {
      for_each_use(graph.nodes()[static_cast<std::size_t>(i)], [&](ValueId id) { last_use(id) = i; });
    }
    for (const ValueId id : graph.outputs) last_use(id) = end;
  }

  ActivationMemory run() {
    for (const ValueId id : graph_.inputs) born(id);
    memory_.bytes = live_;
    for (std::size_t i = 0; i < graph_.nodes().size(); ++i) step(i);
    return std::move(memory_);
  }

 private:
  static constexpr std::int64_t kNever = -1;
  std::int64_t& last_use(ValueId id) { return last_use_[static_cast<std::size_t>(id)]; }

  void born(ValueId id) {
    if (const auto bytes = bytes_of(graph_.value(id).type)) return add(&live_, *bytes);
    ++memory_.unknown_values;
  }
  void dies(ValueId id) {
    if (graph_.initializer(id) == nullptr) live_ -= bytes_of(graph_.value(id).type).value_or(0);
  }

  void step(std::size_t index) {
    const Node& node = graph_.nodes()[index];
    for (const ValueId id : node.outputs) {
      if (id != kNoValue) born(id);
    }
    std::int64_t peak = live_;
    std::int64_t in_bodies = 0;  // one runs at a time
    for_each_body(node, [&](std::string_view, const Graph& body) {
      const ActivationMemory inner = Lifetimes(body).run();
      in_bodies = std::max(in_bodies, inner.bytes);
      memory_.unknown_values += inner.unknown_values;
    });
    add(&peak, in_bodies);
    if (peak > memory_.bytes || index == 0) {
      memory_.bytes = std::max(peak, memory_.bytes);
      memory_.node = describe(graph_, index);
    }
    std::set<ValueId> done;
    for_each_use(node, [&](ValueId id) {
      if (last_use(id) == static_cast<std::int64_t>(index)) done.insert(id);
    });
    for (const ValueId id : node.outputs) {
      if (id != kNoValue && last_use(id) == kNever) done.insert(id);
    }
    for (const ValueId id : done) dies(id);
  }

  const Graph& graph_;
  std::vector<std::int64_t> last_use_;  ///< index of a node; behind the last one for outputs
  std::int64_t live_ = 0;
  ActivationMemory memory_;
};

void count(const Graph& graph, Summary* summary) {
  for (const Node& node : graph.nodes()) {
    ++summary->nodes;
    ++summary->ops[node.domain.empty() ? node.op : node.domain + "." + node.op];
    const auto macs = macs_of(graph, node);
    if (!macs) ++summary->nodes_without_macs;
    add(&summary->macs, macs.value_or(0));
    for_each_body(node, [&](std::string_view, const Graph& body) {
      ++summary->bodies;
      count(body, summary);
    });
  }
  for (const auto& [id, tensor] : graph.initializers()) {
    for (ParameterCount* parameters : {&summary->parameters[std::string(to_string(tensor.dtype()))], &summary->all_parameters}) {
      add(&parameters->count, tensor.count());
      add(&parameters->bytes, static_cast<std::int64_t>(tensor.size_bytes()));
    }
  }
}

}  // namespace

std::optional<std::int64_t> bytes_of(const ValueType& type) {
  if (!type.dtype || !type.shape || *type.dtype == DType::kString) return std::nullopt;
  Dims dims;
  for (const Dim& dim : *type.shape) {
    if (!dim.known()) return std::nullopt;
    dims.push_back(dim.value);
  }
  const auto elements = element_count(dims, *type.dtype);
  if (!elements) return std::nullopt;
  return static_cast<std::int64_t>(bytes_for(*type.dtype, *elements));
}

Result<Graph> bind_dims(Graph graph, const DimBinding& binding) {
  std::set<std::string> symbols;
  for (const ValueId id : graph.inputs) {
    if (!graph.value(id).type.shape) continue;
    for (const Dim& dim : *graph.value(id).type.shape) {
      if (!dim.known() && !dim.symbol.empty()) symbols.insert(dim.symbol);
    }
  }
  for (const auto& [name, value] : binding.named) {
    if (symbols.contains(name)) continue;
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("dimension {}: found no input that has it, expected one of: {}", in_quotes(name),
                            symbols.empty() ? "(there is none)" : fmt::format("{}", fmt::join(symbols, ", "))));
  }
  const std::set<ValueId> inputs(graph.inputs.begin(), graph.inputs.end());
  const auto number = [&](const Dim& dim) -> std::int64_t {
    const auto it = binding.named.find(dim.symbol);
    return it == binding.named.end() ? binding.others : it->second;
  };
  for (std::size_t i = 0; i < graph.value_count(); ++i) {
    const auto id = static_cast<ValueId>(i);
    ValueType type = graph.value(id).type;
    if (!type.shape) continue;
    for (Dim& dim : *type.shape) {
      if (!dim.known() && (inputs.contains(id) || symbols.contains(dim.symbol))) dim = {number(dim), {}};
    }
    graph.set_type(id, std::move(type));
  }
  MORU_RETURN_IF_ERROR_IN("with numbers for its unknown extents", infer_shapes(graph));
  return graph;
}

Summary summarise(const Graph& graph) {
  Summary summary;
  count(graph, &summary);
  summary.activations = Lifetimes(graph).run();
  summary.quantisation = describe_quantisation(graph, summary);
  return summary;
}

}  // namespace moru::model
