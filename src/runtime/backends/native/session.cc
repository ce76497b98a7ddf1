// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/native/session.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/backends/native/prepare.h"

namespace moru::runtime::native {
namespace {

using model::Graph;

constexpr std::string_view kLoad = "load model";
constexpr std::size_t kMostPlans = 8;  // as many as a stream's batches of 1, 2, 4, ... 128 need

bool has_open_extents(std::span<const Port> inputs) {
  return std::ranges::any_of(
      inputs, [](const Port& port) { return std::ranges::any_of(port.shape, [](const model::Dim& dim) { return !dim.known(); }); });
}

}  // namespace

NativeModel::NativeModel(std::shared_ptr<const Model> model)
    : model_(std::move(model)), checker_(model_->inputs, model_->outputs), from_(model_->inputs.size()), to_(model_->outputs.size()) {}

Result<std::unique_ptr<NativeModel>> NativeModel::load(Graph graph, int threads) {
  MORU_ASSIGN_OR_RETURN(const kernels::Isa isa, kernels::chosen_isa());
  MORU_ASSIGN_OR_RETURN(auto inputs, ports_of(graph, graph.inputs));
  MORU_ASSIGN_OR_RETURN(auto outputs, ports_of(graph, graph.outputs));
  MORU_ASSIGN_OR_RETURN_IN(kLoad, graph, prepare_graph(std::move(graph)));
  std::vector<model::Dims> extents;
  for (const Port& port : inputs) {
    model::Dims dims;
    for (const model::Dim& dim : port.shape) dims.push_back(dim.known() ? dim.value : 1);
    extents.push_back(std::move(dims));
  }
  auto model = std::make_shared<Model>(std::move(graph), kernels::kernels_for(isa), std::move(inputs), std::move(outputs), threads);
  std::unique_ptr<NativeModel> session(new NativeModel(model));
  const Status planned = session->plan_for(std::move(extents));
  // Extents of 1 may be too small for a window: then the first run plans.
  const bool open = has_open_extents(model->inputs);
  const bool later = !planned && planned.error().code != ErrorCode::kUnsupported && open;
  if (!planned && !later) return fail(planned.error().in(kLoad));
  // Where it is never planned anew the plan has weights of its own. A copy has no room to grow, and does not lie among what was made and
  // let go on the way.
  model->graph = open ? Graph(model->graph) : Graph();
  return session;
}

Status NativeModel::plan_for(std::vector<model::Dims> extents) {
  MORU_ASSIGN_OR_RETURN(const Graph bound, with_extents(model_->graph, extents));
  MORU_ASSIGN_OR_RETURN(auto plan, engine::Plan::make(bound, model_->kernels));
  Planned planned{.extents = std::move(extents), .output_dims = {}, .context = nullptr};
  MORU_ASSIGN_OR_RETURN(planned.context, engine::Context::make(std::move(plan), {.count = model_->threads}));
  for (const model::ValueId id : bound.outputs) {
    model::Dims dims;
    for (const model::Dim& dim : *bound.value(id).type.shape) dims.push_back(dim.value);
    planned.output_dims.push_back(std::move(dims));
  }
  if (plans_.size() == kMostPlans) plans_.pop_back();
  plans_.insert(plans_.begin(), std::move(planned));
  return {};
}

/// Makes the plan for these extents the first, where there is one.
bool NativeModel::use_plan(auto same_extents) {
  const auto found = std::ranges::find_if(plans_, same_extents);
  if (found == plans_.end()) return false;
  std::rotate(plans_.begin(), found, found + 1);
  return true;
}

Status NativeModel::plan_for(std::span<const model::ConstTensorView> inputs) {
  const bool is_planned = use_plan([&](const Planned& planned) {
    return std::ranges::equal(inputs, planned.extents,
                              [](const auto& input, const model::Dims& dims) { return std::ranges::equal(input.dims, dims); });
  });
  if (is_planned) return {};
  std::vector<model::Dims> extents;
  for (const auto& input : inputs) extents.emplace_back(input.dims.begin(), input.dims.end());
  MORU_RETURN_IF_ERROR_IN("run model", plan_for(std::move(extents)));
  return {};
}

Status NativeModel::run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) {
  MORU_RETURN_IF_ERROR(checker_.check(inputs, outputs));
  MORU_RETURN_IF_ERROR(plan_for(inputs));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    // The ports may leave an extent open that the plan knows.
    if (!std::ranges::equal(outputs[i].dims, plans_.front().output_dims[i])) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("output '{}': found memory for {}, expected {}", model_->outputs[i].name, model::to_string(outputs[i].dims),
                              model::to_string(plans_.front().output_dims[i])));
    }
    to_[i] = outputs[i].bytes.data();
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) from_[i] = inputs[i].bytes.data();
  plans_.front().context->run(from_, to_);
  return {};
}

Result<std::vector<model::Tensor>> NativeModel::run_once(std::span<const model::Tensor> inputs) {
  std::vector<model::ConstTensorView> from;
  for (const auto& input : inputs) from.push_back(input.view());
  MORU_RETURN_IF_ERROR(checker_.check_inputs(from));
  MORU_RETURN_IF_ERROR(plan_for(from));
  std::vector<model::Tensor> made;
  std::vector<model::TensorView> to;
  for (std::size_t i = 0; i < model_->outputs.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(auto tensor, model::Tensor::create(model_->outputs[i].dtype, plans_.front().output_dims[i]));
    made.push_back(std::move(tensor));
  }
  for (auto& tensor : made) to.push_back(tensor.mutable_view());
  MORU_RETURN_IF_ERROR(run(from, to));
  return made;
}

Result<std::vector<model::Dims>> NativeModel::prepare(std::span<const model::Dims> inputs) {
  MORU_RETURN_IF_ERROR(checker_.check_inputs(inputs));
  if (!use_plan([&](const Planned& planned) { return std::ranges::equal(inputs, planned.extents); })) {
    MORU_RETURN_IF_ERROR_IN("plan model", plan_for(std::vector(inputs.begin(), inputs.end())));
  }
  return plans_.front().output_dims;
}

std::optional<MemoryNeed> NativeModel::memory() const {
  if (plans_.empty()) return std::nullopt;
  const engine::Context& context = *plans_.front().context;
  return MemoryNeed{.weight_bytes = context.plan().held_bytes(), .arena_bytes = context.memory_bytes()};
}

Result<std::unique_ptr<Session>> NativeModel::clone() const {
  std::unique_ptr<NativeModel> session(new NativeModel(model_));
  for (const Planned& planned : plans_) {
    MORU_ASSIGN_OR_RETURN_IN("clone model", auto context, planned.context->clone());
    session->plans_.push_back({planned.extents, planned.output_dims, std::move(context)});
  }
  return session;
}

}  // namespace moru::runtime::native
