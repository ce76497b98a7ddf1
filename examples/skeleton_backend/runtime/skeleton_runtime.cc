// SPDX-License-Identifier: Apache-2.0
// The runtime itself, which stands in for one of somebody else's: the plain implementations of our ops behind a C interface.
#include "skeleton_runtime.h"

#include <memory>
#include <string>
#include <vector>

#include "model/formats/onnx/onnx.h"
#include "model/ops/op.h"

struct SkeletonModel {
  explicit SkeletonModel(moru::model::Graph whole) : graph(std::move(whole)) {}
  moru::model::Graph graph;
  std::vector<moru::model::Tensor> outputs;
};

namespace {

thread_local std::string last_error;

}  // namespace

const char* skeleton_version() { return "1.4"; }

const char* skeleton_last_error() { return last_error.c_str(); }

SkeletonModel* skeleton_load(const void* onnx, size_t size) {
  auto graph = moru::model::read_onnx({static_cast<const char*>(onnx), size}, "model");
  if (graph) return std::make_unique<SkeletonModel>(std::move(*graph)).release();
  last_error = graph.error().message;
  return nullptr;
}

void skeleton_free(SkeletonModel* model) { const std::unique_ptr<SkeletonModel> owner(model); }

int skeleton_run(SkeletonModel* model, const SkeletonTensor* inputs, size_t count) {
  std::vector<moru::model::Tensor> tensors;
  for (size_t i = 0; i < count && i < model->graph.inputs.size(); ++i) {
    const auto& type = model->graph.value(model->graph.inputs[i]).type;
    const auto* bytes = static_cast<const std::byte*>(inputs[i].data);
    auto tensor =
        moru::model::Tensor::from_bytes(*type.dtype, {inputs[i].extents, inputs[i].extents + inputs[i].rank}, {bytes, inputs[i].size});
    if (!tensor) {
      last_error = tensor.error().message;
      return 1;
    }
    tensors.push_back(std::move(*tensor));
  }
  auto outputs = moru::model::evaluate(model->graph, tensors);
  if (!outputs) {
    last_error = outputs.error().message;
    return 1;
  }
  model->outputs = std::move(*outputs);
  return 0;
}

SkeletonTensor skeleton_output(const SkeletonModel* model, size_t index) {
  const auto& tensor = model->outputs[index];
  return {tensor.dims().data(), tensor.dims().size(), tensor.bytes().data(), tensor.size_bytes()};
}
