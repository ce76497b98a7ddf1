// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/backend.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/ops/op.h"
#include "model/passes/pass.h"
#include "runtime/backends/model_bytes.h"
#include "runtime/backends/ports.h"

namespace moru::runtime {
namespace {

using model::Graph;
using model::Tensor;

/// The plain implementations of the ops, one after the other, on copies of the caller's tensors.
class ReferenceModel final : public Session {
 public:
  ReferenceModel(Graph graph, std::vector<Port> inputs, std::vector<Port> outputs)
      : graph_(std::move(graph)), inputs_(std::move(inputs)), outputs_(std::move(outputs)), checker_(inputs_, outputs_) {}

  std::span<const Port> inputs() const override { return inputs_; }
  std::span<const Port> outputs() const override { return outputs_; }

  Status run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) override {
    MORU_RETURN_IF_ERROR(checker_.check(inputs, outputs));
    std::vector<Tensor> tensors;
    for (const auto& input : inputs) {
      MORU_ASSIGN_OR_RETURN(auto tensor, Tensor::from_bytes(input.dtype, {input.dims.begin(), input.dims.end()}, input.bytes));
      tensors.push_back(std::move(tensor));
    }
    MORU_ASSIGN_OR_RETURN(const auto results, run_once(tensors));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      // The ports may leave an extent open that only the run decides.
      const bool fits = results[i].size_bytes() == outputs[i].bytes.size();  // strings may not
      if (!fits || !std::ranges::equal(results[i].dims(), outputs[i].dims) || results[i].dtype() != outputs[i].dtype) {
        return fail(ErrorCode::kInvalidArgument,
                    fmt::format("output '{}': found memory for {} {}, expected {} {}", outputs_[i].name, to_string(outputs[i].dtype),
                                model::to_string(outputs[i].dims), to_string(results[i].dtype()), model::to_string(results[i].dims())));
      }
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) std::ranges::copy(results[i].bytes(), outputs[i].bytes.begin());
    return {};
  }

  /// The graph itself checks the inputs and says the shapes, so those that only the run decides are no obstacle; nor are strings.
  Result<std::vector<Tensor>> run_once(std::span<const Tensor> inputs) override {
    MORU_ASSIGN_OR_RETURN_IN("run model", auto results, model::evaluate(graph_, inputs));
    return results;
  }

 private:
  Graph graph_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
  PortChecker checker_;
};

BackendInfo info() { return {.available = true, .version = "built in", .reason = "", .devices = {{"cpu", "one thread of this machine"}}}; }

Result<std::unique_ptr<Session>> load(const ModelBytes& model, const SessionOptions& options) {
  if (!options.device.empty() && options.device != "cpu") {
    return fail(ErrorCode::kUnavailable, fmt::format("backend reference: found no device '{}', expected cpu", options.device));
  }
  MORU_ASSIGN_OR_RETURN(auto graph, graph_of(model));
  if (model.format == "onnx") {
    // The integer arithmetic of QDQ groups is part of what a model means here (docs/arithmetic.md).
    const std::string passes[] = {"fuse_qdq"};
    MORU_RETURN_IF_ERROR_IN("load model", model::run_passes(graph, passes));
  }
  MORU_ASSIGN_OR_RETURN(auto inputs, ports_of(graph, graph.inputs));
  MORU_ASSIGN_OR_RETURN(auto outputs, ports_of(graph, graph.outputs));
  return std::make_unique<ReferenceModel>(std::move(graph), std::move(inputs), std::move(outputs));
}

/// A model with control flow is loaded, since somebody may look at it; its run would say this.
std::vector<NodeSupport> supports(const Graph& graph) {
  std::vector<NodeSupport> answers;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    const model::Node& node = graph.nodes()[i];
    const model::OpSpec* op = model::find_op(node.op, node.domain);
    if (op != nullptr && op->reference != nullptr) {
      answers.push_back({.runs = true, .reason = ""});
      continue;
    }
    const bool why = op != nullptr && !op->gaps.empty();
    answers.push_back({.runs = false,
                       .reason = fmt::format("backend reference: {}: found an op without a reference, expected one that has it{}",
                                             model::describe(graph, i), why ? fmt::format(": {}", op->gaps[0].reason) : "")});
  }
  return answers;
}

constexpr std::string_view kFormats[] = {"onnx", "tflite"};

}  // namespace

extern const BackendSpec kBackend_reference;
const BackendSpec kBackend_reference{
    .name = "reference",
    .doc = "The plain implementations of the ops, on one thread: slow, always there, and what every other backend is compared with.",
    .formats = kFormats,
    .settings = {},
    .packages = {},
    .info = info,
    .load = load,
    .supports = supports,
};

}  // namespace moru::runtime
