// SPDX-License-Identifier: Apache-2.0
// Tensors for the inputs of a model: from .npy and .npz files, or seeded random ones.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/formats/npy/npy.h"
#include "model/inspect/summary.h"
#include "runtime/backends/backend.h"

namespace moru::cli {

/// Each entry is NAME=x.npy, x.npz, or x.npy (then its name is empty: for a model with one input).
Result<std::vector<model::NamedTensor>> read_tensors(std::span<const std::string> entries);

/// Tensors in the order of `ports`. Errors: kInvalidArgument for a name that no port has, the same name twice, or a port without a
/// tensor, unless `missing` is given: then those ports are noted there, and their places hold empty tensors.
Result<std::vector<model::Tensor>> order_tensors(std::vector<model::NamedTensor> tensors, std::span<const runtime::Port> ports,
                                                 std::vector<std::size_t>* missing = nullptr);

/// Seeded tensors that fit the ports, with the binding's numbers for what is open. kInvalidArgument for a dimension that no port has.
Result<std::vector<model::Tensor>> random_tensors(std::span<const runtime::Port> ports, const model::DimBinding& binding,
                                                  std::uint64_t seed);

/// Tensors that fit the ports are one run. Else their first axis counts runs: [1000, 1, 28, 28] or [1000, 28, 28] are 1000 runs of a
/// port of [1, 1, 28, 28]. The same number for each port, or kInvalidArgument.
Result<std::vector<std::vector<model::Tensor>>> split_runs(const std::vector<model::Tensor>& tensors, std::span<const runtime::Port> ports);

}  // namespace moru::cli
