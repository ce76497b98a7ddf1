// SPDX-License-Identifier: Apache-2.0
#include "model/targets/partition.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

#include "core/random.h"
#include "model/graph/text.h"
#include "model/ops/op.h"
#include "model/ops/verify.h"
#include "model/targets/closure.h"
#include "model/targets/split.h"

namespace moru::model::targets {
namespace {

using ::testing::ElementsAre;

struct Dag {
  Successors successors;
  std::vector<bool> eligible;
  std::vector<std::int64_t> macs;
};

Dag random_dag(Rng& rng, std::size_t count, double edges, double eligible) {
  Dag dag;
  dag.successors.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = i + 1; j < count; ++j) {
      if (rng.uniform() < edges) dag.successors[i].push_back(static_cast<std::int32_t>(j));
    }
    dag.eligible.push_back(rng.uniform() < eligible);
    dag.macs.push_back(static_cast<std::int64_t>(rng.below(4)) * 1000);
  }
  return dag;
}

/// reach[i][j]: a path from i to j.
std::vector<std::vector<bool>> reach_of(const Dag& dag) {
  const std::size_t count = dag.successors.size();
  std::vector<std::vector<bool>> reach(count, std::vector<bool>(count, false));
  for (std::size_t i = count; i-- > 0;) {
    for (const std::int32_t next : dag.successors[i]) {
      reach[i][static_cast<std::size_t>(next)] = true;
      for (std::size_t j = 0; j < count; ++j) {
        if (reach[static_cast<std::size_t>(next)][j]) reach[i][j] = true;
      }
    }
  }
  return reach;
}

bool convex(const std::vector<std::vector<bool>>& reach, const std::vector<bool>& in) {
  for (std::size_t a = 0; a < in.size(); ++a) {
    for (std::size_t b = 0; in[a] && b < in.size(); ++b) {
      for (std::size_t c = 0; !in[b] && reach[a][b] && c < in.size(); ++c) {
        if (in[c] && reach[b][c]) return false;
      }
    }
  }
  return true;
}

void expect_sound(const Dag& dag, const std::vector<Piece>& pieces, bool one_piece) {
  const std::size_t count = dag.successors.size();
  const auto reach = reach_of(dag);
  std::vector<std::size_t> piece_of(count, pieces.size());
  std::size_t placed = 0;
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    EXPECT_FALSE(pieces[p].nodes.empty());
    EXPECT_TRUE(std::ranges::is_sorted(pieces[p].nodes));
    std::vector<bool> in(count, false);
    for (const std::size_t node : pieces[p].nodes) {
      EXPECT_EQ(piece_of[node], pieces.size()) << "node " << node << " is in two pieces";
      piece_of[node] = p;
      in[node] = true;
      ++placed;
      EXPECT_TRUE(dag.eligible[node] || !pieces[p].accelerator);
      EXPECT_TRUE(one_piece || pieces[p].accelerator == dag.eligible[node]);
    }
    EXPECT_TRUE(convex(reach, in)) << "piece " << p;
  }
  EXPECT_EQ(placed, count);
  for (std::size_t i = 0; i < count; ++i) {
    for (const std::int32_t next : dag.successors[i]) EXPECT_LE(piece_of[i], piece_of[static_cast<std::size_t>(next)]);
  }
}

TEST(Partition, RandomGraphsFallIntoConvexPiecesInOrder) {
  Rng rng(7);
  for (int round = 0; round < 300; ++round) {
    const Dag dag = random_dag(rng, 1 + rng.below(24), 0.02 + 0.3 * rng.uniform(), rng.uniform());
    expect_sound(dag, partition(dag.successors, dag.eligible, dag.macs, false), false);
    expect_sound(dag, partition(dag.successors, dag.eligible, dag.macs, true), true);
  }
}

/// Tries every set of nodes.
TEST(Partition, TheOnePieceIsTheHeaviestConvexSetThereIs) {
  Rng rng(8);
  for (int round = 0; round < 60; ++round) {
    const Dag dag = random_dag(rng, 1 + rng.below(9), 0.35, 0.7);
    const auto reach = reach_of(dag);
    const std::size_t count = dag.successors.size();
    std::pair<std::int64_t, std::int64_t> best{0, 0};  // MACs, nodes
    for (std::size_t set = 0; set < (std::size_t{1} << count); ++set) {
      std::vector<bool> in(count);
      std::pair<std::int64_t, std::int64_t> found{0, 0};
      bool fits = true;
      for (std::size_t i = 0; i < count; ++i) {
        in[i] = (set >> i & 1U) != 0;
        if (!in[i]) continue;
        fits = fits && dag.eligible[i];
        found.first += dag.macs[i];
        ++found.second;
      }
      if (fits && found > best && convex(reach, in)) best = found;
    }
    std::pair<std::int64_t, std::int64_t> found{0, 0};
    for (const Piece& piece : partition(dag.successors, dag.eligible, dag.macs, true)) {
      if (piece.accelerator) found = {piece.macs, std::ssize(piece.nodes)};
    }
    EXPECT_EQ(found, best) << "round " << round;
  }
}

/// The fewest pieces there can be are those of nodes that run as soon as they can, by turns.
TEST(Partition, WhereOnePieceIsEnoughThereIsOne) {
  // 0 -> 1 -> 3, 0 -> 2 -> 3 -> 4: 1 does not run on the accelerator, and 0 and 2 can wait for nothing.
  const Dag dag{{{1, 2}, {3}, {3}, {4}, {}}, {false, false, true, true, true}, {1, 1, 1, 1, 1}};
  const auto pieces = partition(dag.successors, dag.eligible, dag.macs, false);
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_THAT(pieces[0].nodes, ElementsAre(0, 1));
  EXPECT_THAT(pieces[1].nodes, ElementsAre(2, 3, 4));
  EXPECT_TRUE(pieces[1].accelerator);
  EXPECT_EQ(pieces[1].macs, 3);
}

TEST(Partition, OfPiecesAsFewTheOneWithTheHeaviestWins) {
  // A chain with two nodes of the processor in it: 100 | x | 1 | x | 7. Three pieces at least.
  const Dag dag{{{1}, {2}, {3}, {4}, {}}, {true, false, true, false, true}, {100, 0, 1, 0, 7}};
  const auto pieces = partition(dag.successors, dag.eligible, dag.macs, true);
  ASSERT_EQ(pieces.size(), 2U);
  EXPECT_TRUE(pieces[0].accelerator);
  EXPECT_THAT(pieces[0].nodes, ElementsAre(0));
  EXPECT_EQ(partition(dag.successors, dag.eligible, dag.macs, false).size(), 5U);
}

TEST(Partition, CrumbsAndLongChainsEnd) {
  Dag dag;
  constexpr std::size_t kCount = 4000;
  for (std::size_t i = 0; i < kCount; ++i) {
    dag.successors.push_back(i + 1 < kCount ? std::vector<std::int32_t>{static_cast<std::int32_t>(i + 1)} : std::vector<std::int32_t>());
    dag.eligible.push_back(i % 3 != 0);
    dag.macs.push_back(static_cast<std::int64_t>(1) << 60U);  // hostile: sums would overflow
  }
  const auto pieces = partition(dag.successors, dag.eligible, dag.macs, false);
  EXPECT_EQ(pieces.size(), 2 * ((kCount + 2) / 3) - (kCount % 3 == 1 ? 1 : 0));
  EXPECT_EQ(std::accumulate(pieces.begin(), pieces.end(), std::size_t{0},
                            [](std::size_t sum, const Piece& one) { return sum + one.nodes.size(); }),
            kCount);
}

TEST(Closure, IsTheHeaviestSetThatKeepsTheImplications) {
  Rng rng(9);
  for (int round = 0; round < 200; ++round) {
    const std::size_t count = 1 + rng.below(9);
    std::vector<std::int64_t> weights;
    std::vector<Implication> implications;
    for (std::size_t i = 0; i < count; ++i) weights.push_back(static_cast<std::int64_t>(rng.below(21)) - 10);
    for (std::size_t i = 0; i < 2 * count; ++i)
      implications.emplace_back(static_cast<std::int32_t>(rng.below(count)), static_cast<std::int32_t>(rng.below(count)));
    const auto weight_of = [&](const auto& chosen) -> std::optional<std::int64_t> {
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < count; ++i) sum += chosen(i) ? weights[i] : 0;
      for (const auto& [from, to] : implications) {
        if (chosen(static_cast<std::size_t>(from)) && !chosen(static_cast<std::size_t>(to))) return std::nullopt;
      }
      return sum;
    };
    std::int64_t best = 0;
    for (std::size_t set = 0; set < (std::size_t{1} << count); ++set)
      best = std::max(best, weight_of([&](std::size_t i) { return (set >> i & 1U) != 0; }).value_or(0));
    const std::vector<bool> found = heaviest_closure(weights, implications);
    EXPECT_EQ(weight_of([&](std::size_t i) { return static_cast<bool>(found[i]); }), best) << "round " << round;
  }
}

/// A random graph of small ops, all of [2, 3].
Graph random_graph(Rng& rng, std::size_t count) {
  Graph graph;
  graph.name = "random";
  const ValueType type{DType::kFloat32, SymbolicShape{{2, ""}, {3, ""}}};
  std::vector<ValueId> values{graph.add_value("x", type)};
  graph.inputs.push_back(values[0]);
  values.push_back(graph.add_initializer("c", Tensor::of<float>({2, 3}, {1, -2, 3, -4, 5, -6})));
  for (std::size_t i = 0; i < count; ++i) {
    constexpr const char* kOps[] = {"Add", "Mul", "Relu", "Neg", "Sub"};
    Node node{.name = fmt::format("n{}", i), .op = kOps[rng.below(5)], .domain = {}, .inputs = {}, .outputs = {}, .attributes = {}};
    node.inputs.push_back(values[rng.below(values.size())]);
    if (node.op != "Relu" && node.op != "Neg") node.inputs.push_back(values[rng.below(values.size())]);
    node.outputs.push_back(graph.add_value(fmt::format("v{}", i), type));
    values.push_back(node.outputs[0]);
    graph.nodes().push_back(std::move(node));
  }
  graph.outputs = {values.back(), values[values.size() / 2], values[0], values[1]};
  graph.remove_unused();
  return graph;
}

TEST(Split, PiecesRunOneAfterTheOtherGiveTheSameBits) {
  Rng rng(10);
  for (int round = 0; round < 60; ++round) {
    Graph graph = random_graph(rng, 3 + rng.below(30));
    ASSERT_TRUE(infer_shapes(graph).has_value());
    std::vector<bool> eligible;
    for (std::size_t i = 0; i < graph.nodes().size(); ++i) eligible.push_back(rng.uniform() < 0.6);
    const std::vector<std::int64_t> macs(graph.nodes().size(), 1);
    const auto pieces = partition(successors_of(graph), eligible, macs, round % 2 == 0);
    const auto models = split(graph, pieces);
    ASSERT_TRUE(models.has_value()) << models.error().message;
    std::vector<PieceNames> names;
    std::size_t nodes = 0;
    for (const PieceModel& model : *models) {
      names.push_back(names_of(model.graph));
      nodes += model.graph.nodes().size();
      EXPECT_TRUE(verify(model.graph).has_value());
    }
    EXPECT_EQ(nodes, graph.nodes().size());
    const std::vector<Tensor> inputs{Tensor::of<float>({2, 3}, {0.5F, 1, -1.5F, 2, -2.5F, 3})};
    const auto expected = evaluate(graph, inputs);
    const auto found = run_pieces(names_of(graph), names, inputs, [&](std::size_t piece, std::span<const Tensor> given) {
      return evaluate((*models)[piece].graph, given);
    });
    ASSERT_TRUE(expected.has_value()) << expected.error().message;
    ASSERT_TRUE(found.has_value()) << found.error().message;
    ASSERT_EQ(found->size(), expected->size());
    for (std::size_t i = 0; i < expected->size(); ++i) EXPECT_TRUE(same_bits((*expected)[i], (*found)[i])) << "output " << i;
  }
}

TEST(Split, ALostValueIsNamed) {
  const PieceNames whole{{"x"}, {"y"}};
  const std::vector<PieceNames> pieces{{{"z"}, {"y"}}};
  const std::vector<Tensor> inputs(1);
  const auto found = run_pieces(whole, pieces, inputs, [](std::size_t, std::span<const Tensor>) { return Result<std::vector<Tensor>>(); });
  EXPECT_THAT(found.error().message, ::testing::HasSubstr("value 'z': found nothing that gives it"));
}

}  // namespace
}  // namespace moru::model::targets
