// SPDX-License-Identifier: Apache-2.0
// Whether a backend's answers are right: they are compared with those of the reference backend to the same seeded inputs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/tensor/tensor.h"
#include "runtime/backends/backend.h"
#include "runtime/measure/parity.h"

namespace moru::runtime {

/// What the reference answers to each of a few seeds.
struct Expected {
  std::vector<std::uint64_t> seeds;
  std::vector<std::vector<model::Tensor>> outputs;  ///< of each seed
  std::string reason;                               ///< why there are none
};

struct Judgement {
  std::optional<double> nmse;  ///< the largest of any output
  bool ok = false;
  std::string reason;  ///< why not
};

/// Adds what was found for one seed; the first call makes one Parity an output. Errors: kInvalidArgument for another number of
/// outputs, or another type or shape.
Status add_answer(std::span<const model::Tensor> expected, std::span<const model::Tensor> found, std::vector<Parity>* parities);

/// Float models: NMSE of each output at most 1e-6. Quantised models, in which engines may differ by a step an op (docs/arithmetic.md):
/// in 99 % of the samples of each output, what is largest is nearly the largest of the reference (Parity::near_agreements); and NMSE at
/// most 0.1, which no engine reaches that has wrong weights, paddings or zero points.
Judgement judge(std::span<const Parity> parities, bool quantised);

/// Whether the rules for quantised models hold: it has 8-bit arithmetic anywhere. Of a model that our readers refuse: no.
bool is_quantised(const ModelBytes& model);

}  // namespace moru::runtime
