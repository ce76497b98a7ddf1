// SPDX-License-Identifier: Apache-2.0
// From the bytes of a model to what OpenVINO has compiled, and its ports.
#pragma once

#include <vector>

#include "runtime/backends/backend.h"
#include "runtime/backends/openvino/library.h"

namespace moru::runtime::openvino {

struct Loaded {
  Handle<ov_compiled_model_t> model;
  std::vector<Port> inputs;
  std::vector<Port> outputs;
};

/// Errors: those of BackendSpec::load.
Result<Loaded> load_model(const Library& library, const ModelBytes& model, const SessionOptions& options);

/// Element types as OpenVINO numbers them; of a port's type only, which it has a number for.
ov_element_type_e to_theirs(model::DType dtype);

}  // namespace moru::runtime::openvino
