// SPDX-License-Identifier: Apache-2.0
// Steps that are done a band of rows at a time: what each band needs, and that the answer is that of whole steps.
#include "runtime/engine/chain.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "core/random.h"
#include "model/ops/op.h"
#include "runtime/engine/context.h"
#include "runtime/engine/random_graph.h"

namespace moru::runtime::engine {
namespace {

/// Steps that fit each other, with windows of any kind.
std::vector<RowReach> random_chain(Rng& rng) {
  const auto between = [&rng](int low, int high) { return low + static_cast<int>(rng.below(static_cast<std::uint64_t>(high - low + 1))); };
  std::vector<RowReach> chain;
  int rows = between(20, 80);
  for (int steps = between(2, 5); steps > 0; --steps) {
    RowReach reach{.in_rows = rows, .in_row_bytes = 100, .out_row_bytes = 100, .rows = between(1, 7), .stride = between(1, 3)};
    reach.pad_top = between(0, reach.rows - 1);
    const int below = between(0, reach.rows - 1);
    rows = std::max(1, (rows + reach.pad_top + below - reach.rows) / reach.stride + 1);
    reach.out_rows = rows;
    chain.push_back(reach);
  }
  return chain;
}

/// Makes the bands [first, last) of `band_rows` rows, and holds them to it: what is read is there, and no row is made twice.
void expect_sound(const std::vector<RowReach>& chain, int band_rows, int first, int last) {
  Band before;
  for (int piece = first; piece < last; ++piece) {
    const RowRange out{piece * band_rows, std::min((piece + 1) * band_rows, chain.back().out_rows)};
    const Band band = next_band(chain, piece == first ? nullptr : &before, out);
    ASSERT_EQ(band.made[chain.size() - 1].begin, out.begin);
    ASSERT_EQ(band.made[chain.size() - 1].end, out.end);
    for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
      const RowRange made = band.made[i];
      const RowRange kept = band.kept[i];
      const RowRange reader = band.made[i + 1];
      const RowRange old = piece == first ? RowRange{} : before.kept[i];
      if (reader.begin < reader.end) {
        ASSERT_LE(kept.begin, chain[i + 1].first_read(reader.begin));
        ASSERT_GE(kept.end, chain[i + 1].end_read(reader.end));
      }
      if (made.begin >= made.end) continue;
      ASSERT_GE(made.begin, old.end) << "made twice";
      ASSERT_EQ(made.end, kept.end);
      ASSERT_TRUE(made.begin == kept.begin || made.begin == old.end) << "a row is missing";
      if (made.begin != kept.begin) {
        ASSERT_GE(kept.begin, old.begin);
      }
    }
    before = band;
  }
}

TEST(Chain, BandsHaveWhatTheyReadAndMakeNoRowTwice) {
  Rng rng(20261130);
  for (int round = 0; round < 500; ++round) {
    const auto chain = random_chain(rng);
    const int band_rows = 1 + static_cast<int>(rng.below(9));
    const int bands = (chain.back().out_rows + band_rows - 1) / band_rows;
    const int first = static_cast<int>(rng.below(static_cast<std::uint64_t>(bands)));  // another worker begins here
    expect_sound(chain, band_rows, 0, bands);
    expect_sound(chain, band_rows, first, bands);
    ASSERT_FALSE(HasFatalFailure()) << "round " << round;
  }
}

TEST(Chain, TakesNoMoreMemoryThanItMayAndNoneWhereAllFits) {
  const std::vector<RowReach> chain(
      3, {.in_rows = 100, .out_rows = 100, .in_row_bytes = 1000, .out_row_bytes = 1000, .rows = 3, .pad_top = 1});
  const auto shape = shape_chain(chain, 30'000);
  ASSERT_TRUE(shape);
  EXPECT_GE(shape->band_rows, 8);
  EXPECT_EQ((100 + shape->band_rows - 1) / shape->band_rows % 2, 0) << "two workers have as many each";
  ASSERT_EQ(shape->rows.size(), 2U);
  EXPECT_LE((shape->rows[0] + shape->rows[1]) * 1000, 30'000);
  EXPECT_FALSE(shape_chain(chain, 1'000'000)) << "one band would be all";
  EXPECT_FALSE(shape_chain(chain, 5'000)) << "not even the smallest band";
}

std::vector<std::byte> run(Context& context, const RandomNetwork& network) {
  std::size_t bytes = 0;
  for (const Buffer& buffer : context.plan().buffers()) bytes += buffer.kind == Buffer::Kind::kOutput ? buffer.bytes : 0;
  std::vector<std::byte> out(bytes);
  const std::byte* const from[] = {network.inputs.front().view().bytes.data()};
  std::byte* const to[] = {out.data()};
  context.run(from, to);
  context.run(from, to);
  return out;
}

std::size_t chains_of(const Plan& plan) {
  return static_cast<std::size_t>(std::ranges::count_if(
      plan.steps(), [](const PlannedStep& step) { return dynamic_cast<const ChainStep*>(step.step.get()) != nullptr; }));
}

class EachIsaChain : public testing::TestWithParam<kernels::Isa> {
 protected:
  /// The answer of one thread, which is that of several to the bit.
  std::vector<std::byte> answer(const RandomNetwork& network) {
    const auto plan = Plan::make(network.graph, kernels::kernels_for(GetParam())).value();
    chains_ += chains_of(*plan);
    const auto one = run(*Context::make(plan).value(), network);
    for (const int threads : {2, 5})
      EXPECT_EQ(run(*Context::make(plan, {.count = threads, .least_ns = 0}).value(), network), one) << threads;
    return one;
  }
  std::size_t chains_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Engine, EachIsaChain, testing::ValuesIn(kernels::machine_isas().begin(), kernels::machine_isas().end()),
                         [](const auto& isa) { return std::string(kernels::to_string(isa.param)); });

TEST_P(EachIsaChain, LevelsAreTheReferencesToTheBit) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const RandomNetwork network = random_rows_of_levels(seed);
    const auto expected = model::evaluate(network.graph, network.inputs).value();
    const auto bytes = expected.front().view().bytes;
    EXPECT_TRUE(std::ranges::equal(answer(network), bytes)) << "seed " << seed;
  }
  EXPECT_GE(chains_, 5U);
}

TEST_P(EachIsaChain, FloatsAgreeWithTheReference) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const RandomNetwork network = random_rows_of_floats(seed);
    const auto expected = model::evaluate(network.graph, network.inputs).value();
    const auto found = answer(network);
    const auto* values = reinterpret_cast<const float*>(found.data());
    double errors = 0;
    double squares = 1e-12;
    for (const float value : expected.front().data<float>()) {
      const double error = double{*values++} - double{value};
      errors += error * error;
      squares += double{value} * double{value};
    }
    EXPECT_LE(errors / squares, 1e-9) << "seed " << seed;
  }
  EXPECT_GE(chains_, 5U);
}

}  // namespace
}  // namespace moru::runtime::engine
