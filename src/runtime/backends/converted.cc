// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/converted.h"

#include <fmt/format.h>

namespace moru::runtime {
namespace {

Status check_alike(const char* role, std::span<const Port> before, std::span<const Port> after) {
  const auto refuse = [role](std::string_view found, std::string_view expected) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("load model: found {} {} after conversion, expected {} as before", role, found, expected));
  };
  if (before.size() != after.size()) return refuse(fmt::format("count {}", after.size()), fmt::format("{}", before.size()));
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (before[i].dtype != after[i].dtype || before[i].shape.size() != after[i].shape.size()) {
      return refuse(describe(after[i]), describe(before[i]));
    }
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Session>> ConvertedModel::create(std::unique_ptr<Session> session, std::vector<Port> inputs,
                                                        std::vector<Port> outputs) {
  MORU_RETURN_IF_ERROR(check_alike("input", inputs, session->inputs()));
  MORU_RETURN_IF_ERROR(check_alike("output", outputs, session->outputs()));
  return std::unique_ptr<Session>(new ConvertedModel(std::move(session), std::move(inputs), std::move(outputs)));
}

ConvertedModel::ConvertedModel(std::unique_ptr<Session> session, std::vector<Port> inputs, std::vector<Port> outputs)
    : session_(std::move(session)), inputs_(std::move(inputs)), outputs_(std::move(outputs)), checker_(inputs_, outputs_) {}

Status ConvertedModel::run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) {
  MORU_RETURN_IF_ERROR(checker_.check(inputs, outputs));
  return session_->run(inputs, outputs);
}

Result<std::vector<model::Tensor>> ConvertedModel::run_once(std::span<const model::Tensor> inputs) {
  std::vector<model::ConstTensorView> views;
  for (const model::Tensor& input : inputs) views.push_back(input.view());
  MORU_RETURN_IF_ERROR(checker_.check_inputs(views));
  return session_->run_once(inputs);
}

Result<std::vector<model::Dims>> ConvertedModel::prepare(std::span<const model::Dims> inputs) {
  MORU_RETURN_IF_ERROR(checker_.check_inputs(inputs));
  return session_->prepare(inputs);
}

Result<std::unique_ptr<Session>> ConvertedModel::clone() const {
  MORU_ASSIGN_OR_RETURN(auto session, session_->clone());
  return std::unique_ptr<Session>(new ConvertedModel(std::move(session), inputs_, outputs_));
}

}  // namespace moru::runtime
