// SPDX-License-Identifier: Apache-2.0
// A model run by calls of a library's own C interface, with the settings that our sessions have and nothing of ours in between: what
// measure_interface compares our sessions with. FOLDER/direct.cc defines kDirect_FOLDER.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "core/result.h"
#include "model/tensor/tensor.h"
#include "runtime/backends/backend.h"

namespace moru::runtime {

class DirectModel {
 public:
  virtual ~DirectModel() = default;
  /// One inference on the memory that it was made with; false when the library refuses.
  virtual bool run() = 0;
};

struct DirectSpec {
  std::string_view name;  ///< of the backend
  /// One thread, on the CPU. `bytes`, inputs and outputs are borrowed for as long as the model lives; the tensors fit its ports.
  Result<std::unique_ptr<DirectModel>> (*load)(std::string_view bytes, std::span<const model::ConstTensorView> inputs,
                                               std::span<const model::TensorView> outputs);
};

std::span<const DirectSpec* const> all_directs();

}  // namespace moru::runtime
