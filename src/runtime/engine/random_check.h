// SPDX-License-Identifier: Apache-2.0
// A random network on the engine, and whether it makes what the reference makes.
#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "runtime/engine/context.h"
#include "runtime/engine/random_graph.h"

namespace moru::runtime::engine {

/// What a plan for the kernels of `isa` makes of the network's inputs, the second time that it is run: what the first run left behind is
/// no trouble.
Result<std::vector<model::Tensor>> run_network(const RandomNetwork& network, kernels::Isa isa, const Threads& threads = {});

/// How far floats are from those expected: the power of the differences by that of `expected`.
double nmse(const model::Tensor& found, const model::Tensor& expected);

/// In what outputs of the engine differ from the reference's more than they may; empty where they do not. Integers and truth values must
/// be the same. Floats may differ by an NMSE of 1e-9, as sums in another order do, or where the network itself makes much of little (a
/// recurrent one does) by some times what becomes of its outputs when its numbers are changed in their last bit.
std::string difference(const RandomNetwork& network, const std::vector<model::Tensor>& found, const std::vector<model::Tensor>& expected);

}  // namespace moru::runtime::engine
