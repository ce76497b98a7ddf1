// SPDX-License-Identifier: Apache-2.0
#include "model/passes/layout/permutation.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "model/ops/support/loops.h"

namespace moru::model::layout {
namespace {

bool fits(const Perm& perm, std::size_t rank) {
  Perm sorted = perm;
  std::ranges::sort(sorted);
  return perm.size() == rank && is_identity(sorted);
}

template <class T>
std::optional<Perm> to_perm(std::span<const T> values, std::size_t rank) {
  Perm perm;
  for (const T value : values) {
    if (value < 0 || static_cast<std::size_t>(value) >= rank) return std::nullopt;
    perm.push_back(static_cast<std::size_t>(value));
  }
  if (!fits(perm, rank)) return std::nullopt;
  return perm;
}

}  // namespace

bool is_identity(const Perm& perm) {
  for (std::size_t i = 0; i < perm.size(); ++i) {
    if (perm[i] != i) return false;
  }
  return true;
}

Perm inverse(const Perm& perm) {
  Perm out(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i) out[perm[i]] = i;
  return out;
}

Perm compose(const Perm& first, const Perm& second) {
  Perm out;
  for (const std::size_t axis : second) out.push_back(first[axis]);
  return out;
}

ValueType permuted(const ValueType& type, const Perm& perm) {
  ValueType out = type;
  if (type.shape) {
    for (std::size_t i = 0; i < perm.size(); ++i) (*out.shape)[i] = (*type.shape)[perm[i]];
  }
  if (out.quantization && out.quantization->scales.size() > 1)
    out.quantization->axis = static_cast<std::int32_t>(inverse(perm)[static_cast<std::size_t>(out.quantization->axis)]);
  return out;
}

Result<Tensor> permuted(const Tensor& tensor, const Perm& perm) {
  MORU_ASSIGN_OR_RETURN(const std::size_t size, element_size(tensor.dtype()));
  Dims dims;
  for (const std::size_t axis : perm) dims.push_back(tensor.dims()[axis]);
  MORU_ASSIGN_OR_RETURN(Tensor out, Tensor::create(tensor.dtype(), std::move(dims)));
  if (out.count() == 0) return out;
  const auto strides = ops::strides_of(tensor.dims());
  const std::byte* from = tensor.bytes().data();
  std::byte* to = out.mutable_bytes().data();
  std::vector<std::int64_t> index(out.rank(), 0);
  do {
    std::int64_t offset = 0;
    for (std::size_t axis = 0; axis < index.size(); ++axis) offset += index[axis] * strides[perm[axis]];
    std::memcpy(to, from + static_cast<std::size_t>(offset) * size, size);
    to += size;
  } while (ops::next_index(index, out.dims()));
  return out;
}

bool moves_only_ones(const SymbolicShape& shape, const Perm& perm) {
  std::size_t last = 0;
  for (const std::size_t axis : perm) {
    if (shape[axis].value == 1) continue;
    if (axis + 1 < last) return false;
    last = axis + 1;
  }
  return true;
}

bool is_tflite(const Node& node) { return node.domain == "tflite"; }

bool is_op(const Node& node, std::string_view onnx, std::string_view tflite) {
  return is_tflite(node) ? node.op == tflite : node.domain.empty() && node.op == onnx;
}

std::optional<Perm> permutation_of(const Graph& graph, const Node& node) {
  if (!is_op(node, "Transpose", "TRANSPOSE") || node.inputs.empty() || node.inputs[0] == kNoValue) return std::nullopt;
  const auto& shape = graph.value(node.inputs[0]).type.shape;
  if (!shape) return std::nullopt;
  if (!is_tflite(node)) {
    std::vector<std::int64_t> reverse;
    for (std::size_t i = shape->size(); i-- > 0;) reverse.push_back(static_cast<std::int64_t>(i));
    const auto perm = ints_attribute(node, "perm", reverse);
    return perm ? to_perm<std::int64_t>(*perm, shape->size()) : std::nullopt;
  }
  const Tensor* perm = node.inputs.size() == 2 && node.inputs[1] != kNoValue ? graph.initializer(node.inputs[1]) : nullptr;
  if (perm == nullptr || perm->dtype() != DType::kInt32) return std::nullopt;
  return to_perm<std::int32_t>(perm->data<std::int32_t>(), shape->size());
}

Node make_transpose(Graph& graph, bool tflite, ValueId from, ValueId to, const Perm& perm) {
  Node node{.name = {},
            .op = tflite ? "TRANSPOSE" : "Transpose",
            .domain = tflite ? "tflite" : "",
            .inputs = {from},
            .outputs = {to},
            .attributes = {}};
  if (tflite) {
    const std::vector<std::int32_t> axes(perm.begin(), perm.end());
    node.inputs.push_back(graph.add_initializer(graph.unused_name("perm"), Tensor::of<std::int32_t>({std::ssize(axes)}, axes)));
  } else {
    node.attributes["perm"] = std::vector<std::int64_t>(perm.begin(), perm.end());
  }
  return node;
}

Node make_reshape(Graph& graph, bool tflite, ValueId from, ValueId to) {
  std::vector<std::int64_t> extents;
  for (const Dim& dim : *graph.value(to).type.shape) extents.push_back(dim.known() ? dim.value : -1);
  Node node{.name = {},
            .op = tflite ? "RESHAPE" : "Reshape",
            .domain = tflite ? "tflite" : "",
            .inputs = {from},
            .outputs = {to},
            .attributes = {}};
  const std::string name = graph.unused_name("shape");
  if (tflite) {
    const std::vector<std::int32_t> narrow(extents.begin(), extents.end());
    node.inputs.push_back(graph.add_initializer(name, Tensor::of<std::int32_t>({std::ssize(narrow)}, narrow)));
    node.attributes["new_shape"] = extents;
  } else {
    node.inputs.push_back(graph.add_initializer(name, Tensor::of<std::int64_t>({std::ssize(extents)}, extents)));
    // An extent of 0 means 0, not "as it was".
    if (std::ranges::find(extents, 0) != extents.end()) node.attributes["allowzero"] = std::int64_t{1};
  }
  return node;
}

void sort_nodes(Graph& graph) {
  auto& nodes = graph.nodes();
  const auto producers = graph.producers();
  const auto consumers = graph.consumers();
  std::vector<std::size_t> waits(nodes.size(), 0);
  std::set<std::size_t> ready;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    for_each_use(nodes[i], [&](const ValueId id) { waits[i] += producers[static_cast<std::size_t>(id)] >= 0 ? 1U : 0U; });
    if (waits[i] == 0) ready.insert(i);
  }
  std::vector<Node> sorted;
  while (!ready.empty()) {
    const std::size_t next = *ready.begin();
    ready.erase(ready.begin());
    for (const ValueId id : nodes[next].outputs) {
      if (id == kNoValue) continue;
      for (const std::int32_t user : consumers[static_cast<std::size_t>(id)]) {
        if (--waits[static_cast<std::size_t>(user)] == 0) ready.insert(static_cast<std::size_t>(user));
      }
    }
    sorted.push_back(std::move(nodes[next]));
  }
  nodes = std::move(sorted);
}

bool substitute(Graph& graph, ValueId y, ValueId x) {
  const auto is_output = [&](ValueId id) { return std::ranges::find(graph.outputs, id) != graph.outputs.end(); };
  if (!is_output(y)) {
    graph.replace_uses(y, x);
    return true;
  }
  const std::int32_t maker = graph.producers()[static_cast<std::size_t>(x)];
  if (maker < 0 || is_output(x)) return false;
  // The output's name stays: who made x makes y instead. What made y before makes a value that nobody uses.
  const std::int32_t before = graph.producers()[static_cast<std::size_t>(y)];
  const ValueId unused = graph.add_value(graph.unused_name("unused"));
  std::ranges::replace(graph.nodes()[static_cast<std::size_t>(before)].outputs, y, unused);
  graph.replace_uses(x, y);
  std::ranges::replace(graph.nodes()[static_cast<std::size_t>(maker)].outputs, x, y);
  // The node that is left over must not read what now comes after it.
  std::ranges::replace(graph.nodes()[static_cast<std::size_t>(before)].inputs, y, graph.nodes()[static_cast<std::size_t>(maker)].inputs[0]);
  return true;
}

}  // namespace moru::model::layout
