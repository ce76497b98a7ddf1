// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/openvino/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace moru::runtime::openvino {
namespace {

constexpr std::string_view kRun = "run model";

/// It refuses a null pointer even for no bytes.
std::byte nothing{};

Result<Handle<ov_infer_request_t>> make_request(const Api& api, const ov_compiled_model_t* model) {
  ov_infer_request_t* raw = nullptr;
  MORU_RETURN_IF_ERROR(check(api, api.compiled_model_create_infer_request(model, &raw), "make a request", ErrorCode::kResourceExhausted));
  return Handle<ov_infer_request_t>(raw, {api.infer_request_free});
}

}  // namespace

Result<std::unique_ptr<Session>> OpenVinoModel::load(const Library& library, const ModelBytes& model, const SessionOptions& options) {
  MORU_ASSIGN_OR_RETURN(auto loaded, load_model(library, model, options));
  MORU_ASSIGN_OR_RETURN_IN("load model", auto request, make_request(library.api, loaded.model.get()));
  return std::unique_ptr<Session>(new OpenVinoModel(library.api, std::move(loaded), std::move(request)));
}

OpenVinoModel::OpenVinoModel(const Api& api, Loaded loaded, Handle<ov_infer_request_t> request)
    : api_(api),
      model_(std::move(loaded.model)),
      request_(std::move(request)),
      inputs_(std::move(loaded.inputs)),
      outputs_(std::move(loaded.outputs)),
      checker_(inputs_, outputs_),
      input_slots_(inputs_.size()),
      output_slots_(outputs_.size()) {}

Result<Handle<ov_tensor_t>> OpenVinoModel::tensor_over(const Port& port, const std::byte* data, std::span<const std::int64_t> dims) const {
  // The library writes neither to the extents nor to inputs; its C interface has no word for that.
  const ov_shape_t shape{static_cast<std::int64_t>(dims.size()), const_cast<std::int64_t*>(dims.data())};
  auto* memory = const_cast<std::byte*>(data != nullptr ? data : &nothing);
  ov_tensor_t* raw = nullptr;
  MORU_RETURN_IF_ERROR(check(api_, api_.tensor_create_from_host_ptr(to_theirs(port.dtype), shape, memory, &raw),
                             fmt::format("bind '{}'", port.name), ErrorCode::kInvalidArgument));
  return Handle<ov_tensor_t>(raw, {api_.tensor_free});
}

Result<bool> OpenVinoModel::bind(Slot& slot, const Port& port, const std::byte* data, std::span<const std::int64_t> dims) const {
  if (slot.tensor && slot.data == data && std::ranges::equal(slot.dims, dims)) return false;
  MORU_ASSIGN_OR_RETURN(slot.tensor, tensor_over(port, data, dims));
  slot.data = data;
  slot.dims.assign(dims.begin(), dims.end());
  return true;
}

Status OpenVinoModel::bind_all(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto& slot = input_slots_[i];
    MORU_ASSIGN_OR_RETURN(const bool is_new, bind(slot, inputs_[i], inputs[i].bytes.data(), inputs[i].dims));
    if (!is_new) continue;
    MORU_RETURN_IF_ERROR(
        check(api_, api_.infer_request_set_input_tensor_by_index(request_.get(), i, slot.tensor.get()), kRun, ErrorCode::kInvalidArgument));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    auto& slot = output_slots_[i];
    MORU_ASSIGN_OR_RETURN(const bool is_new, bind(slot, outputs_[i], outputs[i].bytes.data(), outputs[i].dims));
    if (!is_new) continue;
    MORU_RETURN_IF_ERROR(check(api_, api_.infer_request_set_output_tensor_by_index(request_.get(), i, slot.tensor.get()), kRun,
                               ErrorCode::kInvalidArgument));
  }
  return {};
}

Result<model::Dims> OpenVinoModel::dims_of(const ov_tensor_t* tensor, const Port& port) const {
  ov_shape_t shape{};
  const ov_status_e status = api_.tensor_get_shape(tensor, &shape);
  if (status == INVALID_C_PARAM) return model::Dims{};  // so it answers for a scalar, whose shape has no extents
  MORU_RETURN_IF_ERROR(check(api_, status, fmt::format("read '{}'", port.name), ErrorCode::kInternal));
  model::Dims dims(shape.dims, shape.dims + shape.rank);
  api_.shape_free(&shape);
  return dims;
}

Status OpenVinoModel::run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) {
  MORU_RETURN_IF_ERROR(checker_.check(inputs, outputs));
  auto done = bind_all(inputs, outputs);
  if (done) done = check(api_, api_.infer_request_infer(request_.get()), kRun, ErrorCode::kInvalidArgument);
  if (done) done = check_made(outputs);
  if (!done) {
    // What is bound may have another shape now, or not be bound at all.
    for (auto& slot : input_slots_) slot.tensor.reset();
    for (auto& slot : output_slots_) slot.tensor.reset();
  }
  return done;
}

Status OpenVinoModel::check_made(std::span<const model::TensorView> outputs) const {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    // Only what the run decides may have become other than it was given.
    if (std::ranges::all_of(outputs_[i].shape, [](const model::Dim& dim) { return dim.known(); })) continue;
    MORU_ASSIGN_OR_RETURN(const auto made, dims_of(output_slots_[i].tensor.get(), outputs_[i]));
    if (std::ranges::equal(made, outputs[i].dims)) continue;
    return fail(ErrorCode::kInvalidArgument, fmt::format("output '{}': found memory for {}, expected {}", outputs_[i].name,
                                                         model::to_string(outputs[i].dims), model::to_string(made)));
  }
  return {};
}

Result<model::Tensor> OpenVinoModel::copy_of(const ov_infer_request_t* request, std::size_t output) const {
  const Port& port = outputs_[output];
  const auto ok = [&](ov_status_e status) { return check(api_, status, fmt::format("read '{}'", port.name), ErrorCode::kInternal); };
  ov_tensor_t* raw = nullptr;
  MORU_RETURN_IF_ERROR(ok(api_.infer_request_get_output_tensor_by_index(request, output, &raw)));
  const Handle<ov_tensor_t> made(raw, {api_.tensor_free});
  MORU_ASSIGN_OR_RETURN(auto dims, dims_of(raw, port));
  MORU_ASSIGN_OR_RETURN(model::Tensor tensor, model::Tensor::create(port.dtype, std::move(dims)));
  if (tensor.size_bytes() == 0) return tensor;
  std::size_t size = 0;
  void* data = nullptr;
  MORU_RETURN_IF_ERROR(ok(api_.tensor_get_byte_size(raw, &size)));
  MORU_RETURN_IF_ERROR(ok(api_.tensor_data(raw, &data)));
  if (size != tensor.size_bytes()) {
    return fail(ErrorCode::kInternal, fmt::format("read '{}': found {} bytes, expected {}", port.name, size, tensor.size_bytes()));
  }
  std::memcpy(tensor.mutable_bytes().data(), data, size);
  return tensor;
}

Result<std::vector<model::Tensor>> OpenVinoModel::run_once(std::span<const model::Tensor> inputs) {
  std::vector<model::ConstTensorView> views;
  for (const auto& input : inputs) views.push_back(input.view());
  MORU_RETURN_IF_ERROR(checker_.check_inputs(views));
  // A request of its own (some 20 us): one whose outputs were ever bound to a caller's memory cannot be told to make them again.
  MORU_ASSIGN_OR_RETURN_IN(kRun, const auto request, make_request(api_, model_.get()));
  std::vector<Handle<ov_tensor_t>> bound;
  for (std::size_t i = 0; i < views.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(auto tensor, tensor_over(inputs_[i], views[i].bytes.data(), views[i].dims));
    MORU_RETURN_IF_ERROR(
        check(api_, api_.infer_request_set_input_tensor_by_index(request.get(), i, tensor.get()), kRun, ErrorCode::kInvalidArgument));
    bound.push_back(std::move(tensor));
  }
  MORU_RETURN_IF_ERROR(check(api_, api_.infer_request_infer(request.get()), kRun, ErrorCode::kInvalidArgument));
  std::vector<model::Tensor> made;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    MORU_ASSIGN_OR_RETURN(auto tensor, copy_of(request.get(), i));
    made.push_back(std::move(tensor));
  }
  return made;
}

}  // namespace moru::runtime::openvino
