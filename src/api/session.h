// SPDX-License-Identifier: Apache-2.0
// What stands behind a moru_session of include/moru/c.h: a session whose shapes are bound, so that a run needs nothing but memory.
#pragma once

#include <moru/c.h>

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "runtime/backends/backend.h"

namespace moru::api {

/// An input or output, and the memory that its description points into. Its name is the session's.
struct BoundPort {
  model::DType dtype;
  model::Dims dims;
  std::vector<const char*> dim_names;
  model::Dims bound;
  moru_port port;
};

/// Threads: one call at a time.
class BoundSession {
 public:
  /// Open extents are bound to 1. Errors: kUnsupported for an element type that moru/c.h does not have.
  static Result<BoundSession> create(std::unique_ptr<runtime::Session> session);

  /// Another, with the same shapes. Errors: those of Session::clone().
  Result<BoundSession> clone() const;

  /// All is as before after an error. Errors: those of Session::prepare().
  Status bind(std::span<const moru_shape> inputs);
  /// Errors: kInvalidArgument for memory that does not fit the ports; those of the backend. Allocates nothing unless it fails.
  Status run(std::span<const moru_const_buffer> inputs, std::span<const moru_buffer> outputs);

  std::span<const BoundPort> inputs() const { return inputs_; }
  std::span<const BoundPort> outputs() const { return outputs_; }
  const moru_memory* memory() const { return memory_ ? &*memory_ : nullptr; }

 private:
  explicit BoundSession(std::unique_ptr<runtime::Session> session) : session_(std::move(session)) {}
  Status bind(std::vector<model::Dims> inputs);
  void note_memory();

  std::unique_ptr<runtime::Session> session_;
  std::vector<BoundPort> inputs_;
  std::vector<BoundPort> outputs_;
  std::optional<moru_memory> memory_;
  std::optional<Error> unbound_;  ///< why the shapes of the outputs are not known, when they are not
  std::vector<model::ConstTensorView> from_;
  std::vector<model::TensorView> to_;
};

/// "float32"; null for a number that is no type of moru/c.h.
const char* name_of(moru_dtype dtype);

}  // namespace moru::api
