// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/native/need.h"

#include "runtime/backends/native/prepare.h"
#include "runtime/engine/plan.h"

namespace moru::runtime::native {

Result<Need> need_of(model::Graph graph, std::span<const model::Dims> extents, kernels::Isa isa, int threads) {
  MORU_ASSIGN_OR_RETURN(graph, prepare_graph(std::move(graph)));
  MORU_ASSIGN_OR_RETURN(graph, with_extents(graph, extents));
  MORU_ASSIGN_OR_RETURN(const auto plan, engine::Plan::make(graph, kernels::kernels_for(isa)));
  Need need{.steps = plan->steps().size(),
            .weight_bytes = plan->held_bytes(),
            .arena_bytes = engine::aligned_size(plan->arena_bytes()),
            .worker_bytes = static_cast<std::uint64_t>(threads - 1) * engine::aligned_size(plan->worker_bytes())};
  for (const engine::Buffer& buffer : plan->buffers()) {
    if (buffer.kind == engine::Buffer::Kind::kInput) need.input_bytes += buffer.bytes;
    if (buffer.kind == engine::Buffer::Kind::kOutput) need.output_bytes += buffer.bytes;
  }
  return need;
}

}  // namespace moru::runtime::native
