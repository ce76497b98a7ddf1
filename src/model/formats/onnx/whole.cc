// SPDX-License-Identifier: Apache-2.0
// Models whose tensors lie in other files, as one.
#include <fmt/format.h>

#include <functional>

#include "core/text.h"
#include "model/formats/onnx/onnx.h"
#include "model/formats/onnx/tensors.h"

namespace moru::model {
namespace {

using namespace onnx;

/// Gives `take` each tensor of a model, also those in bodies and functions, until it fails.
class Tensors {
 public:
  explicit Tensors(std::function<Status(pb::TensorProto&)> take) : take_(std::move(take)) {}

  Status of(pb::ModelProto& model) const {
    MORU_RETURN_IF_ERROR(of(*model.mutable_graph()));
    for (auto& function : *model.mutable_functions()) MORU_RETURN_IF_ERROR(of_all(*function.mutable_node()));
    return {};
  }

 private:
  template <class List>
  Status of_all(List& list) const {
    for (auto& one : list) MORU_RETURN_IF_ERROR(of(one));
    return {};
  }
  Status of(pb::GraphProto& graph) const {
    MORU_RETURN_IF_ERROR(of_all(*graph.mutable_initializer()));
    MORU_RETURN_IF_ERROR(of_all(*graph.mutable_sparse_initializer()));
    return of_all(*graph.mutable_node());
  }
  Status of(pb::NodeProto& node) const { return of_all(*node.mutable_attribute()); }
  Status of(pb::AttributeProto& attribute) const {
    if (attribute.has_t()) MORU_RETURN_IF_ERROR(of(*attribute.mutable_t()));
    if (attribute.has_g()) MORU_RETURN_IF_ERROR(of(*attribute.mutable_g()));
    if (attribute.has_sparse_tensor()) MORU_RETURN_IF_ERROR(of(*attribute.mutable_sparse_tensor()));
    MORU_RETURN_IF_ERROR(of_all(*attribute.mutable_tensors()));
    MORU_RETURN_IF_ERROR(of_all(*attribute.mutable_graphs()));
    return of_all(*attribute.mutable_sparse_tensors());
  }
  Status of(pb::SparseTensorProto& sparse) const {
    if (sparse.has_values()) MORU_RETURN_IF_ERROR(of(*sparse.mutable_values()));
    return sparse.has_indices() ? of(*sparse.mutable_indices()) : Status{};
  }
  Status of(pb::TensorProto& tensor) const { return take_(tensor); }

  std::function<Status(pb::TensorProto&)> take_;
};

/// Of a model whose structure the budget allows: what `take` says of its tensors.
Status each_tensor(std::string_view bytes, ReadBudget& budget, const std::function<Status(pb::TensorProto&)>& take) {
  MORU_ASSIGN_OR_RETURN(const Skeleton skeleton, make_skeleton(bytes, MessageKind::kModel, budget));
  pb::ModelProto model;
  MORU_RETURN_IF_ERROR(parse(skeleton.bytes, model));
  return Tensors(take).of(model);
}

Result<std::string> with_payloads(std::string_view bytes, ExternalFiles& files, ReadBudget& budget) {
  pb::ModelProto model;
  MORU_RETURN_IF_ERROR(parse(bytes, model));
  model.clear_training_info();  // it is not run, and may hold graphs that nobody has looked at
  std::uint64_t size = bytes.size();
  const Tensors tensors([&](pb::TensorProto& tensor) -> Status {
    if (!is_external(tensor)) return {};
    MORU_ASSIGN_OR_RETURN_IN("tensor " + in_quotes(tensor.name()), const ExternalPayload payload, external_payload(tensor, &files));
    constexpr std::uint64_t kMostBytes = 0x7FFFFFFF;
    size += payload.bytes.size();
    if (size > kMostBytes)
      return fail(ErrorCode::kUnsupported, "found more than 2 GiB of tensors, expected at most what one ONNX file takes");
    MORU_RETURN_IF_ERROR(budget.take(2 * payload.bytes.size()));  // here, and in what is written
    tensor.set_raw_data(payload.bytes.data(), payload.bytes.size());
    tensor.clear_external_data();
    tensor.clear_data_location();
    return {};
  });
  MORU_RETURN_IF_ERROR(tensors.of(model));
  return model.SerializeAsString();
}

}  // namespace

Status check_whole_onnx(std::string_view bytes) {
  ReadBudget budget(ReadOptions{}.max_memory_bytes);
  Status found;
  (void)each_tensor(bytes, budget, [&](pb::TensorProto& tensor) -> Status {
    if (!is_external(tensor)) return {};
    found = fail(external_payload(tensor, nullptr).error().in("tensor " + in_quotes(tensor.name())));
    return found;
  });
  return found;
}

Result<std::string> read_whole_onnx(const Path& path, const ReadOptions& options) {
  MORU_ASSIGN_OR_RETURN(std::string bytes, read_file(path, options.max_memory_bytes));
  if (check_whole_onnx(bytes)) return bytes;
  ReadBudget budget(options.max_memory_bytes);
  ExternalFiles files(path.parent_path());
  // Its structure is paid for before protobuf makes it.
  MORU_RETURN_IF_ERROR_IN(path.string(), each_tensor(bytes, budget, [](pb::TensorProto&) { return Status{}; }));
  MORU_ASSIGN_OR_RETURN_IN(path.string(), bytes, with_payloads(bytes, files, budget));
  return bytes;
}

}  // namespace moru::model
