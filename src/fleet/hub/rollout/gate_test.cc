// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/rollout/gate.h"

#include <gmock/gmock.h>

#include <array>
#include <cmath>
#include <map>

#include "core/json.h"
#include "core/random.h"

namespace moru::fleet {
namespace {

using ::testing::HasSubstr;

wire::ShadowStats labelled(std::uint64_t n, std::uint64_t only_current, std::uint64_t only_candidate) {
  wire::ShadowStats stats;
  stats.items = n;
  stats.labelled = n;
  stats.only_current = only_current;
  stats.only_candidate = only_candidate;
  stats.both_right = (n - only_current - only_candidate) * 9 / 10;
  stats.agree = stats.both_right;
  stats.current_p99_ns = kMillisecond;
  stats.candidate_p99_ns = kMillisecond;
  return stats;
}

GateResult judge(const wire::ShadowStats& stats, int looks_done = 0) { return evaluate_gate({}, {{"line-1", stats}}, looks_done); }

TEST(PairedTest, MatchesTheTrinomialSummedByHand) {
  // n = 12, b = 4, c = 1: every (x, y) with x - y >= 3, at the estimate's cell probabilities.
  const double n = 12;
  const double drop = 0.1;
  const double a1 = -4 - 1 + (2 * n - 4 + 1) * drop;
  const double a0 = -1 * drop * (1 - drop);
  const double q = (std::sqrt(a1 * a1 - 4 * 2 * n * a0) - a1) / (4 * n);
  const double p = q + drop;
  double sum = 0;
  for (int x = 0; x <= 12; ++x) {
    for (int y = 0; x + y <= 12; ++y) {
      if (x - y < 3) continue;
      const double ways = std::tgamma(13.0) / std::tgamma(x + 1.0) / std::tgamma(y + 1.0) / std::tgamma(13.0 - x - y);
      sum += ways * std::pow(p, x) * std::pow(q, y) * std::pow(1 - p - q, 12 - x - y);
    }
  }
  EXPECT_NEAR(paired_p_value_at_least(12, 4, 1, drop), sum, 1e-9);
}

TEST(PairedTest, IsOneOrSmallAtTheEdges) {
  EXPECT_DOUBLE_EQ(paired_p_value_at_least(500, 0, 0, 0.0), 1.0);
  EXPECT_LT(paired_p_value_at_least(500, 500, 0, 0.01), 1e-12);
  EXPECT_NEAR(paired_p_value_at_least(500, 0, 500, 0.01), 1.0, 1e-9);
  const Interval none = paired_interval(0, 0, 0, 0.01);
  EXPECT_EQ(none.low, -1);
  EXPECT_EQ(none.high, 1);
}

TEST(PairedTest, IntervalHoldsTheEstimateAndShrinksWithItems) {
  const Interval few = paired_interval(500, 20, 10, 0.0025);
  const Interval many = paired_interval(4000, 160, 80, 0.0025);
  EXPECT_LT(few.low, 0.02);
  EXPECT_GT(few.high, 0.02);
  EXPECT_LT(many.high - many.low, (few.high - few.low) / 2);
}

TEST(PairedTest, ExchangingTheModelsMirrorsTheInterval) {
  const Interval one = paired_interval(800, 30, 12, 0.01);
  const Interval other = paired_interval(800, 12, 30, 0.01);
  EXPECT_NEAR(one.low, -other.high, 1e-6);
  EXPECT_NEAR(one.high, -other.low, 1e-6);
}

TEST(Wilson, MatchesThePublishedExample) {
  // 81 of 263 at 95 % two-sided: 0.2553 to 0.3662 (Newcombe, Statistics in Medicine 17, 1998, table I, method 3).
  const Interval interval = wilson_interval(263, 81, 0.025);
  EXPECT_NEAR(interval.low, 0.2553, 5e-5);
  EXPECT_NEAR(interval.high, 0.3662, 5e-5);
}

TEST(Gate, WaitsUntilTheFirstLookHasItsItems) {
  const GateResult result = judge(labelled(499, 200, 0));
  EXPECT_EQ(result.outcome, GateOutcome::kWait);
  EXPECT_EQ(result.figures.looks_done, 0);
  EXPECT_THAT(result.reason, HasSubstr("next look at 500"));
}

TEST(Gate, PassesACandidateAsGoodAsTheCurrentOne) {
  const GateResult result = judge(labelled(520, 8, 9));
  EXPECT_EQ(result.outcome, GateOutcome::kPass) << result.reason;
  EXPECT_EQ(result.figures.looks_done, 1);
}

TEST(Gate, FailsShuffledWeightsAtTheFirstLook) {
  const GateResult result = judge(labelled(500, 420, 5));
  EXPECT_EQ(result.outcome, GateOutcome::kFail);
  EXPECT_THAT(result.reason, HasSubstr("accuracy drop 83.00 % on 500 labelled live items"));
}

TEST(Gate, TakesEachLookOnce) {
  // 4 % drop: undecided at 500, and again asked with a few more items it waits for 1000.
  const GateResult first = judge(labelled(500, 40, 20));
  EXPECT_EQ(first.outcome, GateOutcome::kWait) << first.reason;
  EXPECT_EQ(first.figures.looks_done, 1);
  const GateResult again = judge(labelled(900, 500, 20), 1);
  EXPECT_EQ(again.outcome, GateOutcome::kWait);
  EXPECT_EQ(again.figures.looks_done, 1);
}

TEST(Gate, UndecidedAtTheLastLookFails) {
  GateOptions options;
  options.max_items = 500;
  const GateResult result = evaluate_gate(options, {{"line-1", labelled(500, 40, 25)}}, 0);
  EXPECT_EQ(result.outcome, GateOutcome::kFail);
  EXPECT_THAT(result.reason, HasSubstr("last look"));
}

TEST(Gate, OneErrorOfTheCandidateFails) {
  auto stats = labelled(10, 0, 0);
  stats.errors = 1;
  EXPECT_EQ(judge(stats).outcome, GateOutcome::kFail);
}

TEST(Gate, ASlowCandidateDoesNotPass) {
  auto stats = labelled(520, 8, 9);
  stats.current_p99_ns = 2 * kMillisecond;
  stats.candidate_p99_ns = 7 * kMillisecond;
  EXPECT_EQ(judge(stats).outcome, GateOutcome::kWait);
  stats = labelled(4000, 60, 60);
  stats.current_p99_ns = 2 * kMillisecond;
  stats.candidate_p99_ns = 7 * kMillisecond;
  const GateResult last = judge(stats, 3);
  EXPECT_EQ(last.outcome, GateOutcome::kFail);
  EXPECT_THAT(last.reason, HasSubstr("p99"));
  stats.candidate_p99_ns = 5 * kMillisecond;
  EXPECT_EQ(judge(stats, 3).outcome, GateOutcome::kPass);
}

TEST(Gate, PoolsNodesAndNamesTheSlowOne) {
  auto slow = labelled(260, 4, 4);
  slow.candidate_p99_ns = 50 * kMillisecond;
  const GateResult result = evaluate_gate({}, {{"line-1", labelled(260, 4, 5)}, {"line-2", slow}}, 0);
  EXPECT_EQ(result.figures.items, 520U);
  EXPECT_EQ(result.outcome, GateOutcome::kWait);
  EXPECT_THAT(result.reason, HasSubstr("node 'line-2'"));
}

TEST(Gate, JudgesAgreementWhereItemsHaveNoReferenceClass) {
  wire::ShadowStats stats;
  stats.items = 500;
  stats.agree = 490;
  EXPECT_EQ(judge(stats).outcome, GateOutcome::kPass);
  stats.agree = 380;
  EXPECT_EQ(judge(stats).outcome, GateOutcome::kFail);
  stats.agree = 450;
  EXPECT_EQ(judge(stats).outcome, GateOutcome::kWait);
}

TEST(Gate, RefusesFiguresThatDoNotAddUp) {
  auto stats = labelled(500, 0, 0);
  stats.only_candidate = 501;
  const GateResult result = judge(stats);
  EXPECT_EQ(result.outcome, GateOutcome::kFail);
  EXPECT_THAT(result.reason, HasSubstr("do not add up"));
}

TEST(GateOptions, RejectsUnknownFieldsAndNumbersThatDoNotFit) {
  const auto read = [](const char* text) { return read_gate_options(parse_json(text, "test").value()); };
  EXPECT_EQ(read("{}")->min_items, 500U);
  EXPECT_EQ(read(R"({"min_items": 100, "latency_floor_ms": 2})")->latency_floor, 2 * kMillisecond);
  EXPECT_THAT(read(R"({"min_item": 100})").error().message, HasSubstr("did you mean 'min_items'"));
  EXPECT_THAT(read(R"({"alpha": 2})").error().message, HasSubstr("alpha"));
  EXPECT_THAT(read(R"({"min_items": 5000})").error().message, HasSubstr("max_items"));
  EXPECT_THAT(read(R"({"allowed_drop": 0.2})").error().message, HasSubstr("harmful_drop"));
  EXPECT_FALSE(read("[]"));
  const auto back = read_gate_options(write_gate_options({}));
  ASSERT_TRUE(back) << back.error().message;
}

// The same rule as evaluate_gate's, on p-values, so that many trials are quick; DecidesByTheTest ties the two.
GateOutcome decide(std::uint64_t n, std::uint64_t b, std::uint64_t c) {
  static std::map<std::array<std::uint64_t, 3>, GateOutcome> known;
  const auto [it, fresh] = known.try_emplace({n, b, c}, GateOutcome::kWait);
  if (!fresh) return it->second;
  constexpr double kLevel = 0.01 / 4;
  if (paired_p_value_at_least(n, b, c, 0.01) <= kLevel) {
    it->second = GateOutcome::kFail;
  } else if (paired_p_value_at_least(n, c, b, -0.05) <= kLevel) {
    it->second = GateOutcome::kPass;
  }
  return it->second;
}

TEST(Gate, DecidesByTheTest) {
  for (std::uint64_t b = 0; b <= 60; b += 3) {
    for (std::uint64_t c = 0; c <= 40; c += 5) EXPECT_EQ(judge(labelled(500, b, c)).outcome, decide(500, b, c)) << b << " " << c;
  }
}

struct Rates {
  double fail = 0;
  double pass = 0;
};

Rates simulate(double only_current, double only_candidate, std::uint64_t seed) {
  constexpr int kTrials = 3000;
  Rng rng(seed);
  int failed = 0;
  int passed = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::uint64_t b = 0;
    std::uint64_t c = 0;
    GateOutcome outcome = GateOutcome::kWait;
    std::uint64_t n = 0;
    for (const std::uint64_t look : {500U, 1000U, 2000U, 4000U}) {
      for (; n < look; ++n) {
        const double u = rng.uniform();
        if (u < only_current) {
          ++b;
        } else if (u < only_current + only_candidate) {
          ++c;
        }
      }
      outcome = decide(n, b, c);
      if (outcome != GateOutcome::kWait) break;
    }
    if (outcome == GateOutcome::kPass) {
      ++passed;
    } else {
      ++failed;
    }
  }
  return {static_cast<double>(failed) / kTrials, static_cast<double>(passed) / kTrials};
}

// 3000 trials of a true 1 % have a standard deviation of 0.18 %; the bound leaves three of them.
constexpr double kStatedRate = 0.01 + 0.0055;

TEST(GateSimulation, StatedErrorRatesHoldAtTheEdges) {
  // A candidate that loses exactly allowed_drop: how often does it fail? One that loses exactly harmful_drop: how often
  // does it pass? `noise` is the share of items that either model gets right by chance.
  for (const double noise : {0.0, 0.005, 0.02, 0.1}) {
    EXPECT_LE(simulate(0.01 + noise, noise, 23).fail, kStatedRate) << "noise " << noise;
  }
  for (const double noise : {0.0, 0.005, 0.02, 0.1}) {
    EXPECT_LE(simulate(0.05 + noise, noise, 17).pass, kStatedRate) << "noise " << noise;
  }
}

TEST(GateSimulation, GoodCandidatesPass) {
  // Up to a drop of zero, with models that differ on up to 8 % of the items.
  for (const double noise : {0.002, 0.01, 0.04}) EXPECT_LE(simulate(noise, noise, 29).fail, kStatedRate) << "noise " << noise;
}

}  // namespace
}  // namespace moru::fleet
