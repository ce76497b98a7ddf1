// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/litert/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "runtime/backends/litert/words.h"

namespace moru::runtime::litert {
namespace {

using model::DType;
using model::Tensor;

/// The one signature that is used: ours of the model's first graph.
constexpr std::size_t kSignature = 0;
constexpr std::string_view kRun = "run model";

/// XNNPACK reads up to 16 bytes behind its inputs; the end of the memory may be the end of the last page.
bool may_be_read_beyond(const std::byte* end) {
  constexpr std::uintptr_t kSmallestPage = 4096;
  constexpr std::uintptr_t kBeyond = 16;
  return kSmallestPage - (reinterpret_cast<std::uintptr_t>(end) - 1) % kSmallestPage - 1 >= kBeyond;
}

bool is_aligned(const std::byte* data) { return data != nullptr && reinterpret_cast<std::uintptr_t>(data) % kAlignment == 0; }

bool has_open_extent(const Port& port) {
  return std::ranges::any_of(port.shape, [](const model::Dim& dim) { return !dim.known(); });
}

/// Extents of LiteRT have 31 bits, and ranks an end that the loader has checked.
Result<TensorType> type_of(const Port& port, std::span<const std::int64_t> dims) {
  TensorType type = {};
  type.element_type = *element_type(port.dtype);
  type.layout.rank = static_cast<std::uint32_t>(dims.size()) & 0x7FU;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] > std::numeric_limits<std::int32_t>::max()) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}': found {}, expected extents of 31 bits", port.name, model::to_string(dims)));
    }
    type.layout.dimensions[i] = static_cast<std::int32_t>(dims[i]);
  }
  return type;
}

}  // namespace

const ElementType* element_type(DType dtype) {
  struct Pair {
    DType ours;
    ElementType theirs;
  };
  static constexpr Pair kPairs[] = {
      {DType::kFloat32, ElementType::kFloat32}, {DType::kFloat16, ElementType::kFloat16}, {DType::kFloat64, ElementType::kFloat64},
      {DType::kInt8, ElementType::kInt8},       {DType::kUInt8, ElementType::kUInt8},     {DType::kInt16, ElementType::kInt16},
      {DType::kUInt16, ElementType::kUInt16},   {DType::kInt32, ElementType::kInt32},     {DType::kUInt32, ElementType::kUInt32},
      {DType::kInt64, ElementType::kInt64},     {DType::kUInt64, ElementType::kUInt64},   {DType::kBool, ElementType::kBool},
  };
  const auto* found = std::ranges::find(kPairs, dtype, &Pair::ours);
  return found == std::end(kPairs) ? nullptr : &found->theirs;
}

LiteRtModel::LiteRtModel(const Api& api, Parts parts)
    : api_(api),
      parts_(std::move(parts)),
      checker_(parts_.inputs, parts_.outputs),
      open_(std::ranges::any_of(parts_.outputs, has_open_extent)),
      slots_(parts_.inputs.size() + parts_.outputs.size()),
      buffers_(slots_.size(), nullptr),
      layouts_(parts_.outputs.size()) {
  plan();
}

Status LiteRtModel::bind(std::size_t index, const Port& port, std::span<const std::int64_t> dims, std::span<const std::byte> bytes,
                         bool usable) {
  Slot& slot = slots_[index];
  if (slot.buffer && slot.data == bytes.data() && std::ranges::equal(slot.dims, dims)) return {};
  MORU_ASSIGN_OR_RETURN(const TensorType type, type_of(port, dims));
  // LiteRT does not write to inputs; its interface has no word for that.
  auto* memory = const_cast<std::byte*>(bytes.data());
  std::unique_ptr<Tensor> ours;
  if (!usable) {
    MORU_ASSIGN_OR_RETURN(Tensor room, Tensor::create(DType::kUInt8, {static_cast<std::int64_t>(bytes.size() + kAlignment)}));
    ours = std::make_unique<Tensor>(std::move(room));
    memory = ours->mutable_bytes().data();
  }
  TensorBuffer* made = nullptr;
  MORU_RETURN_IF_ERROR(take(api_.create_buffer(&type, memory, bytes.size(), nullptr, &made), fmt::format("bind '{}'", port.name),
                            ErrorCode::kInvalidArgument));
  slot.buffer = Handle<TensorBuffer>(made, {api_.destroy_buffer});
  slot.ours = std::move(ours);
  slot.data = bytes.data();
  slot.dims.assign(dims.begin(), dims.end());
  buffers_[index] = made;
  return {};
}

Result<bool> LiteRtModel::resize(std::size_t input, std::span<const std::int64_t> dims) {
  const Port& port = parts_.inputs[input];
  if (!has_open_extent(port) || (slots_[input].buffer && std::ranges::equal(slots_[input].dims, dims))) return false;
  slots_[input] = {};
  MORU_ASSIGN_OR_RETURN(const TensorType type, type_of(port, dims));
  MORU_RETURN_IF_ERROR(take(api_.resize_input(parts_.compiled.get(), kSignature, input, type.layout.dimensions, dims.size()),
                            fmt::format("input '{}': found shape {}", port.name, model::to_string(dims)), ErrorCode::kInvalidArgument));
  return true;
}

Status LiteRtModel::bind_inputs(std::span<const model::ConstTensorView> inputs) {
  forget_words();
  bool resized = false;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto& input = inputs[i];
    MORU_ASSIGN_OR_RETURN(const bool changed, resize(i, input.dims));
    resized = resized || changed;
    const bool usable = is_aligned(input.bytes.data()) && may_be_read_beyond(input.bytes.data() + input.bytes.size());
    MORU_RETURN_IF_ERROR(bind(i, parts_.inputs[i], input.dims, input.bytes, usable));
    if (slots_[i].ours && !input.bytes.empty()) {
      std::memcpy(slots_[i].ours->mutable_bytes().data(), input.bytes.data(), input.bytes.size());
    }
  }
  if (resized) plan();
  return {};
}

void LiteRtModel::plan() {
  CompiledModel* compiled = parts_.compiled.get();
  // Planning memory brings the shapes to the outputs. It then fails while LiteRT still holds memory of other sizes, that of the run before;
  // a failure of another kind comes again in the run.
  api_.output_layouts(compiled, kSignature, layouts_.size(), layouts_.data(), true);
  api_.output_layouts(compiled, kSignature, layouts_.size(), layouts_.data(), false);
  forget_words();
}

Status LiteRtModel::bind_outputs(std::span<const model::TensorView> outputs) {
  const std::size_t first = parts_.inputs.size();
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    MORU_RETURN_IF_ERROR(bind(first + i, parts_.outputs[i], outputs[i].dims, outputs[i].bytes, is_aligned(outputs[i].bytes.data())));
  }
  return {};
}

model::Dims LiteRtModel::made_dims(std::size_t output) const {
  const Layout& layout = layouts_[output];
  return {layout.dimensions, layout.dimensions + std::min<std::size_t>(layout.rank, kMaxRank)};
}

Status LiteRtModel::check_outputs(std::span<const model::TensorView> outputs) const {
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const model::Dims made = made_dims(i);
    if (std::ranges::equal(made, outputs[i].dims)) continue;
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("output '{}': found memory for {} {}, expected {}", parts_.outputs[i].name, to_string(outputs[i].dtype),
                            model::to_string(outputs[i].dims), model::to_string(made)));
  }
  return {};
}

Status LiteRtModel::execute(std::span<const model::TensorView> outputs) {
  CompiledModel* compiled = parts_.compiled.get();
  const std::size_t first = parts_.inputs.size();
  // XNNPACK writes outputs as large as they come, whatever memory there is.
  if (open_ && parts_.shapes_follow) MORU_RETURN_IF_ERROR(check_outputs(outputs));
  const Code code = api_.run(compiled, kSignature, first, buffers_.data(), outputs.size(), buffers_.data() + first);
  if (!parts_.shapes_follow) {
    api_.output_layouts(compiled, kSignature, layouts_.size(), layouts_.data(), false);
    MORU_RETURN_IF_ERROR(check_outputs(outputs));
  }
  MORU_RETURN_IF_ERROR(take(code, kRun, ErrorCode::kInvalidArgument));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Slot& slot = slots_[first + i];
    if (slot.ours) std::ranges::copy(slot.ours->bytes().first(outputs[i].bytes.size()), outputs[i].bytes.begin());
  }
  return {};
}

Status LiteRtModel::run(std::span<const model::ConstTensorView> inputs, std::span<const model::TensorView> outputs) {
  MORU_RETURN_IF_ERROR(checker_.check(inputs, outputs));
  MORU_RETURN_IF_ERROR(bind_inputs(inputs));
  MORU_RETURN_IF_ERROR(bind_outputs(outputs));
  return execute(outputs);
}

Result<std::vector<Tensor>> LiteRtModel::run_once(std::span<const Tensor> inputs) {
  if (!open_) return Session::run_once(inputs);
  std::vector<model::ConstTensorView> input_views;
  for (const Tensor& input : inputs) input_views.push_back(input.view());
  MORU_RETURN_IF_ERROR(checker_.check_inputs(input_views));
  MORU_RETURN_IF_ERROR(bind_inputs(input_views));
  // Where shapes depend on values, a run with memory for others tells the right ones.
  constexpr int kTries = 3;
  for (int left = kTries - 1;; --left) {
    std::vector<Tensor> made;
    std::vector<model::TensorView> views;
    for (std::size_t i = 0; i < layouts_.size(); ++i) {
      MORU_ASSIGN_OR_RETURN(Tensor output, Tensor::create(parts_.outputs[i].dtype, made_dims(i)));
      made.push_back(std::move(output));
    }
    for (Tensor& output : made) views.push_back(output.mutable_view());
    MORU_RETURN_IF_ERROR(bind_outputs(views));
    const Status status = execute(views);
    if (status) return made;
    if (left == 0 || check_outputs(views)) return fail(status.error());
  }
}

}  // namespace moru::runtime::litert
