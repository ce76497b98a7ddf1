// SPDX-License-Identifier: Apache-2.0
#include "api/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace moru::api {
namespace {

using model::Dims;
using model::DType;

struct TypePair {
  DType dtype;
  moru_dtype number;
};
constexpr std::array kTypes = {
    TypePair{DType::kFloat32, MORU_FLOAT32},
    TypePair{DType::kFloat64, MORU_FLOAT64},
    TypePair{DType::kInt8, MORU_INT8},
    TypePair{DType::kUInt8, MORU_UINT8},
    TypePair{DType::kInt16, MORU_INT16},
    TypePair{DType::kUInt16, MORU_UINT16},
    TypePair{DType::kInt32, MORU_INT32},
    TypePair{DType::kUInt32, MORU_UINT32},
    TypePair{DType::kInt64, MORU_INT64},
    TypePair{DType::kUInt64, MORU_UINT64},
    TypePair{DType::kBool, MORU_BOOL},
    TypePair{DType::kFloat16, MORU_FLOAT16},
    TypePair{DType::kBFloat16, MORU_BFLOAT16},
    TypePair{DType::kFloat8E4M3FN, MORU_FLOAT8E4M3FN},
    TypePair{DType::kFloat8E4M3FNUZ, MORU_FLOAT8E4M3FNUZ},
    TypePair{DType::kFloat8E5M2, MORU_FLOAT8E5M2},
    TypePair{DType::kFloat8E5M2FNUZ, MORU_FLOAT8E5M2FNUZ},
    TypePair{DType::kComplex64, MORU_COMPLEX64},
    TypePair{DType::kComplex128, MORU_COMPLEX128},
    TypePair{DType::kInt4, MORU_INT4},
    TypePair{DType::kUInt4, MORU_UINT4},
};
static_assert(kTypes.size() == static_cast<std::size_t>(model::kLastDType), "every type but strings, which have no memory of one size");

Result<std::vector<BoundPort>> describe_ports(std::span<const runtime::Port> ports) {
  std::vector<BoundPort> all;
  for (const runtime::Port& port : ports) {
    const auto* const type = std::ranges::find(kTypes, port.dtype, &TypePair::dtype);
    if (type == kTypes.end()) {
      return fail(ErrorCode::kUnsupported, fmt::format("load model: found {} for '{}', expected a type whose elements have one size",
                                                       model::to_string(port.dtype), port.name));
    }
    BoundPort made{.dtype = port.dtype, .dims = {}, .dim_names = {}, .bound = {}, .port = {}};
    for (const model::Dim& dim : port.shape) {
      made.dims.push_back(dim.known() ? dim.value : -1);
      made.dim_names.push_back(dim.known() ? "" : dim.symbol.c_str());
    }
    made.bound = made.dims;
    made.port = {.name = port.name.c_str(),
                 .dtype = type->number,
                 .rank = made.dims.size(),
                 .dims = made.dims.data(),
                 .dim_names = made.dim_names.data(),
                 .bound_dims = made.bound.data(),
                 .size_bytes = 0};
    all.push_back(std::move(made));  // a moved vector's elements stay where they are
  }
  return all;
}

/// Bytes that each port needs with the extents given.
Result<std::vector<std::size_t>> sizes_of(std::span<const BoundPort> ports, std::span<const Dims> dims) {
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto count = model::element_count(dims[i], ports[i].dtype);
    if (!count) return fail(count.error().in(ports[i].port.name));
    sizes.push_back(model::bytes_for(ports[i].dtype, *count));
  }
  return sizes;
}

void set_bound(std::span<BoundPort> ports, std::span<const Dims> dims, std::span<const std::size_t> sizes) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    std::ranges::copy(dims[i], ports[i].bound.begin());
    ports[i].port.size_bytes = sizes[i];
  }
}

std::size_t alignment_of(DType dtype) { return std::clamp<std::size_t>(model::bits_of(dtype) / 8, 1, alignof(double)); }

template <class Buffer>
Status check_buffer(const char* role, const BoundPort& port, const Buffer& buffer) {
  const auto wrong = [&](std::string_view found) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("run: {} '{}': found {}, expected {} bytes for {} {}", role, port.port.name, found,
                                                         port.port.size_bytes, model::to_string(port.dtype), model::to_string(port.bound)));
  };
  if (buffer.dtype != port.port.dtype) {
    const char* const name = name_of(buffer.dtype);
    return wrong(name == nullptr ? fmt::format("the type number {}", buffer.dtype) : name);
  }
  if (buffer.size_bytes != port.port.size_bytes) return wrong(fmt::format("{} bytes", buffer.size_bytes));
  if (buffer.data == nullptr && buffer.size_bytes > 0) return wrong("a null pointer");
  if (reinterpret_cast<std::uintptr_t>(buffer.data) % alignment_of(port.dtype) != 0)
    return wrong("memory that is not aligned for its type");
  return {};
}

template <class Buffer>
Status check_buffers(const char* role, std::span<const BoundPort> ports, std::span<const Buffer> buffers) {
  if (buffers.size() != ports.size()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("run: found {} {}s, expected {}", buffers.size(), role, ports.size()));
  }
  for (std::size_t i = 0; i < ports.size(); ++i) MORU_RETURN_IF_ERROR(check_buffer(role, ports[i], buffers[i]));
  return {};
}

}  // namespace

const char* name_of(moru_dtype dtype) {
  const auto* const type = std::ranges::find(kTypes, dtype, &TypePair::number);
  return type == kTypes.end() ? nullptr : model::to_string(type->dtype).data();  // names are literals
}

Result<BoundSession> BoundSession::create(std::unique_ptr<runtime::Session> session) {
  BoundSession made(std::move(session));
  MORU_ASSIGN_OR_RETURN(made.inputs_, describe_ports(made.session_->inputs()));
  MORU_ASSIGN_OR_RETURN(made.outputs_, describe_ports(made.session_->outputs()));
  std::vector<Dims> ones;
  for (const BoundPort& port : made.inputs_) {
    Dims dims = port.dims;
    std::ranges::replace(dims, -1, 1);
    ones.push_back(std::move(dims));
  }
  MORU_ASSIGN_OR_RETURN(const auto sizes, sizes_of(made.inputs_, ones));
  set_bound(made.inputs_, ones, sizes);
  for (const BoundPort& port : made.inputs_) made.from_.push_back({port.dtype, port.bound, {}});
  for (const BoundPort& port : made.outputs_) made.to_.push_back({port.dtype, port.bound, {}});
  // Extents of 1 may be too small for the model, and some outputs are known by a run only: a model still, of which ports can be asked.
  if (const Status bound = made.bind(std::move(ones)); !bound) made.unbound_ = bound.error();
  made.note_memory();
  return made;
}

Result<BoundSession> BoundSession::clone() const {
  MORU_ASSIGN_OR_RETURN(auto session, session_->clone());
  MORU_ASSIGN_OR_RETURN(BoundSession made, create(std::move(session)));
  if (unbound_) return made;
  std::vector<Dims> dims;
  for (const BoundPort& port : inputs_) dims.push_back(port.bound);
  MORU_RETURN_IF_ERROR_IN("clone", made.bind(std::move(dims)));
  return made;
}

Status BoundSession::bind(std::span<const moru_shape> inputs) {
  if (inputs.size() != inputs_.size()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("found {} shapes, expected {}", inputs.size(), inputs_.size()));
  }
  std::vector<Dims> dims;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto [extents, rank] = inputs[i];
    if (rank != inputs_[i].port.rank || (extents == nullptr && rank > 0)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("input '{}': found {}, expected {} extents", inputs_[i].port.name,
                              extents == nullptr ? "a null pointer" : fmt::format("{} extents", rank), inputs_[i].port.rank));
    }
    dims.emplace_back(extents, extents + rank);
  }
  return bind(std::move(dims));
}

Status BoundSession::bind(std::vector<Dims> inputs) {
  MORU_ASSIGN_OR_RETURN(const auto outputs, session_->prepare(inputs));
  MORU_ASSIGN_OR_RETURN(const auto input_sizes, sizes_of(inputs_, inputs));
  MORU_ASSIGN_OR_RETURN(const auto output_sizes, sizes_of(outputs_, outputs));
  set_bound(inputs_, inputs, input_sizes);
  set_bound(outputs_, outputs, output_sizes);
  unbound_.reset();
  note_memory();
  return {};
}

void BoundSession::note_memory() {
  memory_.reset();
  if (const auto need = session_->memory()) memory_ = {.weight_bytes = need->weight_bytes, .arena_bytes = need->arena_bytes};
}

Status BoundSession::run(std::span<const moru_const_buffer> inputs, std::span<const moru_buffer> outputs) {
  if (unbound_) return fail(unbound_->in("run: shapes are not bound"));
  MORU_RETURN_IF_ERROR(check_buffers("input", inputs_, inputs));
  MORU_RETURN_IF_ERROR(check_buffers("output", outputs_, outputs));
  for (std::size_t i = 0; i < inputs.size(); ++i) from_[i].bytes = {static_cast<const std::byte*>(inputs[i].data), inputs[i].size_bytes};
  for (std::size_t i = 0; i < outputs.size(); ++i) to_[i].bytes = {static_cast<std::byte*>(outputs[i].data), outputs[i].size_bytes};
  return session_->run(from_, to_);
}

}  // namespace moru::api
