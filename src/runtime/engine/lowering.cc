// SPDX-License-Identifier: Apache-2.0
#include "runtime/engine/lowering.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "model/ops/op.h"
#include "runtime/engine/borders.h"
#include "runtime/engine/copy.h"

namespace moru::runtime::engine {
namespace {

using model::DType;
using model::Node;
using model::Tensor;
using model::ValueId;

bool is_stored_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kInt8:
    case DType::kUInt8:
    case DType::kInt16:
    case DType::kUInt16:
    case DType::kInt32:
    case DType::kUInt32:
    case DType::kInt64:
    case DType::kUInt64:
    case DType::kBool: return true;
    default: return false;
  }
}
constexpr std::string_view kStoredTypes = "float32, bool or integers of 8 to 64 bits";

}  // namespace

std::size_t Stored::count() const {
  std::size_t count = 1;
  for (const std::int64_t extent : dims) count *= static_cast<std::size_t>(extent);
  return count;
}

model::Dims Stored::physical_dims() const {
  model::Dims physical = dims;
  if (layout == Layout::kChannelsLast) std::rotate(physical.begin() + 1, physical.begin() + 2, physical.end());
  return physical;
}

model::Dims logical_strides(const Stored& stored) {
  model::Dims strides = dense_strides(stored.physical_dims());
  if (stored.layout == Layout::kChannelsLast) std::rotate(strides.begin() + 1, strides.end() - 1, strides.end());
  return strides;
}

Lowering::Lowering(const model::Graph& graph, const kernels::Kernels& kernels)
    : graph_(graph),
      plan_(std::unique_ptr<Plan>(new Plan())),
      stored_(graph.value_count()),
      consumers_(graph.consumers()),
      producers_(graph.producers()),
      is_output_(graph.value_count(), false),
      is_known_(graph.value_count(), false),
      done_(graph.nodes().size(), false) {
  plan_->kernels_ = kernels;
  for (const ValueId id : graph.outputs) is_output_[static_cast<std::size_t>(id)] = true;
}

Result<std::shared_ptr<const Plan>> Lowering::run() {
  find_known();
  MORU_RETURN_IF_ERROR(import_inputs());
  for (std::size_t i = 0; i < graph_.nodes().size(); ++i) {
    if (!done_[i]) MORU_RETURN_IF_ERROR(lower_node(i));
  }
  MORU_RETURN_IF_ERROR(export_outputs());
  chain_rows();
  place_buffers();
  return plan_;
}

Status Lowering::lower_node(std::size_t index) {
  const Node& node = graph_.nodes()[index];
  current_ = model::describe(graph_, index);
  work_ = {};
  const LowerSpec* spec = find_lowering(node.op, node.domain);
  if (spec == nullptr) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("{}: the native engine has no op {}{}{}", current_, node.domain, node.domain.empty() ? "" : ".", node.op));
  }
  done_[index] = true;
  take_on(node);
  MORU_RETURN_IF_ERROR_IN(current_, spec->lower(*this, node));
  return {};
}

Status Lowering::import_inputs() {
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
    const ValueId id = graph_.inputs[i];
    current_ = fmt::format("input '{}'", graph_.value(id).name);
    const bool convolved = goes_into_convolutions(id);
    MORU_ASSIGN_OR_RETURN_IN(current_, const Stored stored, output(id, convolved ? Layout::kChannelsLast : Layout::kPlain));
    const std::size_t bytes = stored.count() * stored.element_bytes();
    const BufferId port = new_buffer({.kind = Buffer::Kind::kInput, .bytes = bytes, .port = static_cast<int>(i)}, bytes);
    if (stored.layout == Layout::kChannelsLast && stored.dims[1] > 1) {
      Stored plain = stored;
      plain.buffer = port;
      plain.layout = Layout::kPlain;
      add_layout("input", plain, stored);
      continue;
    }
    add_move("input", make_border(port, stored.buffer, bytes, stored.dtype == DType::kInt8, kernels()), port, stored.buffer);
  }
  return {};
}

Status Lowering::export_outputs() {
  for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
    const ValueId id = graph_.outputs[i];
    current_ = fmt::format("output '{}'", graph_.value(id).name);
    MORU_ASSIGN_OR_RETURN_IN(current_, const Stored any, stored_value(id));
    MORU_ASSIGN_OR_RETURN(const Stored stored, moved(any, Layout::kPlain));
    const std::size_t bytes = stored.count() * stored.element_bytes();
    const BufferId port = new_buffer({.kind = Buffer::Kind::kOutput, .bytes = bytes, .port = static_cast<int>(i)}, bytes);
    add_move("output", make_border(stored.buffer, port, bytes, stored.dtype == DType::kInt8, kernels()), stored.buffer, port);
  }
  return {};
}

bool Lowering::has_input(const Node& node, std::size_t index) const {
  return index < node.inputs.size() && node.inputs[index] != model::kNoValue;
}

Result<Stored> Lowering::input(const Node& node, std::size_t index, std::optional<Layout> layout) {
  if (!has_input(node, index)) return fail(ErrorCode::kUnsupported, fmt::format("found no input {}, expected one", index));
  MORU_ASSIGN_OR_RETURN(Stored stored, stored_value(node.inputs[index]));
  return layout ? moved(stored, *layout) : stored;
}

Result<const Tensor*> Lowering::constant(const Node& node, std::size_t index) {
  if (!has_input(node, index)) return fail(ErrorCode::kUnsupported, fmt::format("found no input {}, expected a constant", index));
  const ValueId id = node.inputs[index];
  MORU_ASSIGN_OR_RETURN(const Tensor* tensor, known(id));
  if (tensor != nullptr) return tensor;
  return fail(ErrorCode::kUnsupported, fmt::format("input '{}' is computed, expected a constant", graph_.value(id).name));
}

Result<model::Dims> Lowering::dims(ValueId value) const {
  const auto& shape = graph_.value(value).type.shape;
  const std::string& name = graph_.value(value).name;
  if (!shape) return fail(ErrorCode::kUnsupported, fmt::format("'{}' has no known rank", name));
  model::Dims dims;
  for (const auto& dim : *shape) {
    if (!dim.known()) {
      return fail(ErrorCode::kUnsupported, fmt::format("'{}' has shape {}, expected known extents", name, model::to_string(*shape)));
    }
    dims.push_back(dim.value);
  }
  return dims;
}

Result<Stored> Lowering::output(ValueId value, Layout layout) {
  const auto& type = graph_.value(value).type;
  const std::string& name = graph_.value(value).name;
  if (!type.dtype || !is_stored_type(*type.dtype)) {
    return fail(ErrorCode::kUnsupported, fmt::format("'{}' is {}, expected {}", name,
                                                     type.dtype ? model::to_string(*type.dtype) : "of no known type", kStoredTypes));
  }
  Stored stored{.dtype = *type.dtype, .layout = layout};
  MORU_ASSIGN_OR_RETURN(stored.dims, dims(value));
  MORU_RETURN_IF_ERROR(model::element_count(stored.dims, *type.dtype));
  if (stored.dims.size() < 3) stored.layout = Layout::kPlain;
  const std::size_t bytes = stored.count() * stored.element_bytes();
  stored.buffer = new_buffer({.kind = Buffer::Kind::kArena, .bytes = bytes + kernels::kSlack}, bytes);
  alias(value, stored);
  return stored;
}

void Lowering::alias(ValueId value, Stored stored) { stored_[static_cast<std::size_t>(value)] = std::move(stored); }

BufferId Lowering::scratch(std::size_t bytes) { return new_buffer({.kind = Buffer::Kind::kScratch, .bytes = bytes + kernels::kSlack}, 0); }

BufferId Lowering::between(std::size_t bytes) { return new_buffer({.kind = Buffer::Kind::kArena, .bytes = bytes + kernels::kSlack}, 0); }

Result<std::byte*> Lowering::keep_bytes(std::size_t bytes) {
  MORU_ASSIGN_OR_RETURN(AlignedBytes memory, allocate_aligned(bytes));
  plan_->weights_.push_back(std::move(memory));
  plan_->weight_bytes_ += bytes;
  plan_->held_bytes_ += aligned_size(bytes);
  work_.weight_bytes += bytes;
  return plan_->weights_.back().get();
}

void Lowering::add(std::unique_ptr<Step> step, const std::vector<BufferId>& uses, std::optional<Traffic> traffic) {
  // Where a node takes several steps, the products and the weights are the first one's.
  StepWork work = work_;
  work.traffic = traffic ? *traffic : traffic_of(uses);
  for (const BufferId id : uses) {
    const Buffer& buffer = plan_->buffers_[static_cast<std::size_t>(id)];
    if (buffer.kind == Buffer::Kind::kConstant) work.weight_bytes += buffer.bytes;
  }
  work_.macs = 0;
  work_.weight_bytes = 0;
  add_step(std::move(step), uses, std::move(work));
}

void Lowering::add_move(std::string_view what, std::unique_ptr<Step> step, BufferId from, BufferId to) {
  const std::size_t bytes = value_bytes_[static_cast<std::size_t>(to)];
  add_step(std::move(step), {from, to}, {.ops = std::string(what), .traffic = {.read = bytes, .written = bytes}});
}

Traffic Lowering::traffic_of(const std::vector<BufferId>& uses) const {
  Traffic traffic;
  for (const BufferId id : uses) {
    const auto buffer = static_cast<std::size_t>(id);
    (lifetimes_[buffer].first < 0 ? traffic.written : traffic.read) += value_bytes_[buffer];
  }
  return traffic;
}

void Lowering::take_on(const Node& node) {
  if (!work_.ops.empty()) work_.ops += "+";
  work_.ops += fmt::format("{}{}{}", node.domain, node.domain.empty() ? "" : ".", node.op);
  const std::int64_t macs = model::macs_of(graph_, node).value_or(0);
  work_.macs += macs;
  const auto is_float = [&](ValueId id) { return id == model::kNoValue || graph_.value(id).type.dtype == DType::kFloat32; };
  if (macs > 0) work_.on_levels = !std::ranges::all_of(node.inputs, is_float);
}

void Lowering::add_step(std::unique_ptr<Step> step, const std::vector<BufferId>& uses, StepWork work) {
  const int index = static_cast<int>(plan_->steps_.size());
  for (const BufferId buffer : uses) {
    Lifetime& lifetime = lifetimes_[static_cast<std::size_t>(buffer)];
    if (lifetime.first < 0) lifetime.first = index;
    lifetime.last = index;
  }
  plan_->steps_.push_back({std::move(step), current_, std::move(work)});
}

Result<Stored> Lowering::stored_value(ValueId value) {
  const auto& stored = stored_[static_cast<std::size_t>(value)];
  if (stored) return *stored;
  MORU_ASSIGN_OR_RETURN(const Tensor* tensor, known(value));
  const std::string& name = graph_.value(value).name;
  if (tensor == nullptr) return fail(ErrorCode::kInternal, fmt::format("'{}' is used before it is made", name));
  if (!is_stored_type(tensor->dtype())) {
    return fail(ErrorCode::kUnsupported, fmt::format("'{}' is {}, expected {}", name, model::to_string(tensor->dtype()), kStoredTypes));
  }
  return stored_constant(value, *tensor);
}

Result<Stored> Lowering::stored_constant(ValueId value, const Tensor& tensor) {
  Stored stored{.dtype = tensor.dtype(), .dims = tensor.dims()};
  MORU_ASSIGN_OR_RETURN(std::byte * memory, keep_bytes(tensor.size_bytes()));
  work_.weight_bytes -= tensor.size_bytes();  // every step that uses the buffer counts it
  std::ranges::copy(tensor.bytes(), memory);
  if (tensor.dtype() == DType::kInt8) {
    for (std::size_t i = 0; i < tensor.size_bytes(); ++i) memory[i] ^= std::byte{0x80};
  }
  stored.buffer = new_buffer({.kind = Buffer::Kind::kConstant, .bytes = tensor.size_bytes(), .constant = memory}, 0);
  alias(value, stored);
  return stored;
}

Result<Stored> Lowering::kept_value(const std::vector<float>& values, model::Dims dims) {
  MORU_ASSIGN_OR_RETURN(std::byte * memory, keep_bytes(values.size() * sizeof(float)));
  std::memcpy(memory, values.data(), values.size() * sizeof(float));
  work_.weight_bytes -= values.size() * sizeof(float);  // every step that uses the buffer counts it
  const BufferId buffer = new_buffer({.kind = Buffer::Kind::kConstant, .bytes = values.size() * sizeof(float), .constant = memory}, 0);
  return Stored{.buffer = buffer, .dtype = DType::kFloat32, .dims = std::move(dims)};
}

Result<Stored> Lowering::moved(const Stored& from, Layout layout) {
  if (from.layout == layout || from.dims.size() < 3) return from;
  Stored to = from;
  to.layout = layout;
  const bool one_channel = from.dims[1] == 1;
  const bool one_place = std::all_of(from.dims.begin() + 2, from.dims.end(), [](std::int64_t extent) { return extent == 1; });
  if (one_channel || one_place) return to;
  const std::size_t bytes = to.count() * to.element_bytes();
  to.buffer = new_buffer({.kind = Buffer::Kind::kArena, .bytes = bytes + kernels::kSlack}, bytes);
  add_layout("layout", from, to);
  return to;
}

void Lowering::add_layout(std::string_view what, const Stored& from, const Stored& to) {
  constexpr std::int64_t kMostPlanes = 4;
  const std::int64_t channels = from.dims[1];
  if (to.layout == Layout::kChannelsLast && !from.is_levels() && from.count() > 0 && channels > 1 && channels <= kMostPlanes) {
    const auto batch = static_cast<std::size_t>(from.dims[0]);
    const Planes planes{batch, static_cast<int>(channels), from.count() / (batch * static_cast<std::size_t>(channels))};
    return add_move(what, make_interleave(from.buffer, to.buffer, planes, kernels()), from.buffer, to.buffer);
  }
  // Axes in the order of the destination.
  Copy copy{.dims = to.physical_dims(), .from_strides = logical_strides(from), .to_strides = dense_strides(to.physical_dims())};
  if (to.layout == Layout::kChannelsLast)
    std::rotate(copy.from_strides.begin() + 1, copy.from_strides.begin() + 2, copy.from_strides.end());
  add_move(what, make_copy(from.buffer, to.buffer, copy, from.element_bytes()), from.buffer, to.buffer);
}

BufferId Lowering::new_buffer(Buffer buffer, std::size_t value_bytes) {
  plan_->buffers_.push_back(buffer);
  value_bytes_.push_back(value_bytes);
  lifetimes_.push_back({.bytes = buffer.bytes, .first = -1, .last = -1});
  return static_cast<BufferId>(plan_->buffers_.size() - 1);
}

void Lowering::may_overwrite(BufferId from, BufferId to) {
  if (from >= 0) overwrites_.push_back({.step = static_cast<int>(plan_->steps_.size()) - 1, .from = from, .to = to});
}

std::vector<std::size_t> Lowering::shared_places() const {
  std::vector<std::size_t> places(lifetimes_.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::vector<int> ends;  // by place
  for (const Lifetime& lifetime : lifetimes_) ends.push_back(lifetime.last);
  const auto in_arena = [&](std::size_t buffer) { return plan_->buffers_[buffer].kind == Buffer::Kind::kArena; };
  for (const Overwrite& over : overwrites_) {
    const auto to = static_cast<std::size_t>(over.to);
    const std::size_t place = places[static_cast<std::size_t>(over.from)];
    const bool meets = ends[place] == over.step && lifetimes_[to].first == over.step;
    if (!meets || places[to] != to || !in_arena(place) || !in_arena(to)) continue;
    places[to] = place;
    ends[place] = lifetimes_[to].last;
  }
  return places;
}

namespace {

/// Buffers of one place as one: how long it is used, and by how many bytes at most.
std::vector<Lifetime> of_places(std::span<const Lifetime> lifetimes, std::span<const std::size_t> places) {
  std::vector<Lifetime> whole(lifetimes.begin(), lifetimes.end());
  for (std::size_t i = 0; i < places.size(); ++i) {
    Lifetime& place = whole[places[i]];
    place.bytes = std::max(place.bytes, lifetimes[i].bytes);
    place.last = std::max(place.last, lifetimes[i].last);
  }
  return whole;
}

}  // namespace

void Lowering::place_buffers() {
  using Kind = Buffer::Kind;
  std::vector<std::size_t> apart(lifetimes_.size());
  std::iota(apart.begin(), apart.end(), std::size_t{0});
  const auto plan = [&](std::span<const std::size_t> places, auto is_placed) {
    std::vector<Lifetime> lifetimes = of_places(lifetimes_, places);
    for (std::size_t i = 0; i < places.size(); ++i) {
      // What takes no place of its own is nothing that anybody's could overlap with.
      if (places[i] != i || lifetimes[i].first < 0 || !is_placed(plan_->buffers_[i].kind))
        lifetimes[i] = {.bytes = 0, .first = -1, .last = -1};
    }
    return plan_arena(lifetimes);
  };
  const auto in_arena = [](Kind kind) { return kind == Kind::kArena || kind == Kind::kScratch; };
  std::vector<std::size_t> places = shared_places();
  ArenaPlan arena = plan(places, in_arena);
  // Longer lives may fit less well.
  if (ArenaPlan other = plan(apart, in_arena); other.bytes < arena.bytes) {
    arena = std::move(other);
    places = apart;
  }
  const ArenaPlan workers = plan(apart, [](Kind kind) { return kind == Kind::kScratch; });
  for (std::size_t i = 0; i < places.size(); ++i) {
    plan_->buffers_[i].offset = arena.offsets[places[i]];
    plan_->buffers_[i].worker_offset = workers.offsets[i];
  }
  plan_->arena_bytes_ = arena.bytes;
  plan_->worker_bytes_ = workers.bytes;
}

const LowerSpec* find_lowering(std::string_view name, std::string_view domain) {
  for (const LowerSpec* spec : all_lowerings()) {
    if (spec->name == name && spec->domain == domain) return spec;
  }
  return nullptr;
}

}  // namespace moru::runtime::engine
