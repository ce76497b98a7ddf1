// SPDX-License-Identifier: Apache-2.0
// Whether a backend runs a model, node by node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "model/graph/graph.h"
#include "runtime/backends/backend.h"
#include "runtime/worker/worker.h"

namespace moru::runtime {

struct SupportOptions {
  WorkerProgram program;
  TimeNs limit = 60 * kSecond;  ///< for the library, for the model, and for each node that is tried
  /// Called as nodes are looked at; may be empty.
  std::function<void(std::size_t done, std::size_t of)> progress = {};
};

struct Support {
  std::string version;             ///< of the backend's library
  std::string refused;             ///< why the model is not taken whole, in the backend's words; empty when it is
  std::vector<NodeSupport> nodes;  ///< one a node
  std::size_t tried = 0;           ///< models of one node that were loaded

  std::size_t count_refused() const;
  /// The backend takes the model, and runs all of it.
  bool all() const { return refused.empty() && count_refused() == 0; }
};

/// Asks in processes of their own: never crashes, hangs or prints with the backend. `graph` is verified, and in the words of one format.
/// Errors: those of choose_backend(); kUnavailable when the backend is not there, or its library does not live; kCancelled;
/// those of writing the model.
Result<Support> supports(std::string_view backend, const model::Graph& graph, const SupportOptions& options);

}  // namespace moru::runtime
