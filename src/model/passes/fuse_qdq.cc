// SPDX-License-Identifier: Apache-2.0
// Groups of DequantizeLinear, op, QuantizeLinear become one op on integers (Jacob et al., 2018), as docs/arithmetic.md defines.
#include <iterator>
#include <vector>

#include "model/passes/pass.h"
#include "model/passes/qdq/group.h"

namespace moru::model {
namespace {

std::vector<Node> fuse(const qdq::Context& context, const Node& quantize) {
  const auto target = context.target_of(quantize);
  if (!target) return {};
  for (const auto attempt : {qdq::fuse_sum, qdq::fuse_pair, qdq::fuse_pool, qdq::fuse_moves}) {
    if (auto nodes = attempt(context, *target); !nodes.empty()) return nodes;
  }
  return qdq::fuse_table(context, quantize);
}

Result<std::int64_t> run(Graph& graph) {
  const qdq::Context context(graph);
  std::int64_t count = 0;
  std::vector<std::vector<Node>> made(graph.nodes().size());
  for (std::size_t i = 0; i < made.size(); ++i) {
    const Node& node = graph.nodes()[i];
    if (node.op == "QuantizeLinear" && node.domain.empty()) made[i] = fuse(context, node);
    count += made[i].empty() ? 0 : 1;
  }
  if (count == 0) return 0;
  std::vector<Node> nodes;
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (made[i].empty()) {
      nodes.push_back(std::move(graph.nodes()[i]));
    } else {
      std::ranges::move(made[i], std::back_inserter(nodes));
    }
  }
  graph.nodes() = std::move(nodes);
  graph.remove_unused();
  return count;
}

}  // namespace

extern const PassSpec kPass_fuse_qdq;
const PassSpec kPass_fuse_qdq{
    .name = "fuse_qdq",
    .doc =
        "Makes one op on integers of each group DequantizeLinear, op, QuantizeLinear (int8 and uint8, one scale a tensor, weights one a "
        "channel): sums in int32, one float32 factor, halves to even. Relu and Clip become bounds, functions of one value tables. Left as "
        "they are: sums that might leave int32, 16 and 4 bits, and ops between floats that are more than a function of one value.",
    .example = R"(graph "qdq" {
  input x: uint8[N, 2]
  init s = float32[] {0.5}
  init z = uint8[] {128}
  init w = int8[1, 2] {1, -2}
  init ws = float32[] {0.25}
  xd = DequantizeLinear(x, s, z)
  wd = DequantizeLinear(w, ws)
  g = Gemm(xd, wd) {transB = 1}
  r = Relu(g)
  y = QuantizeLinear(r, s, z)
  output y
})",
    .run = run};

}  // namespace moru::model
