// SPDX-License-Identifier: Apache-2.0
// The ledger of random streams: every snapshot adds up, and in the end every item has met one end.
#include <set>

#include "edge/streams/flow_for_test.h"

namespace moru::edge::testing {
namespace {

constexpr std::uint64_t kItems = 400;

std::string input(const std::string& from, Rng& random) {
  constexpr std::array<std::string_view, 4> kPolicies = {"block", "drop_oldest", "sample", "spill"};
  if (random.below(2) == 0) return from;
  return fmt::format("{{from: {}, queue: {}, overflow: {}}}", from, 1 + random.below(20), kPolicies[random.below(4)]);
}

/// One to three sources, up to six stages, each behind one to three of those before it, and a sink for all that nobody reads.
std::string random_stages(Rng& random) {
  std::string text;
  std::vector<std::string> names;
  std::set<std::string> unread;
  const auto add = [&](const std::string& name) {
    names.push_back(name);
    unread.insert(name);
  };
  for (std::uint64_t i = 0, count = 1 + random.below(3); i < count; ++i) {
    const auto name = fmt::format("s{}", i);
    text +=
        fmt::format("    - {{name: {}, stage: {}, options: {{items: {}}}}}\n", name, random.below(2) == 0 ? "ticks" : "letters", kItems);
    add(name);
  }
  constexpr std::array<std::string_view, 4> kKinds = {"chance", "light_chance", "hoard", "light_hoard"};
  const auto inputs = [&] {
    std::set<std::string> from;
    for (std::uint64_t i = 0, count = 1 + random.below(3); i < count; ++i) from.insert(names[random.below(names.size())]);
    std::string list;
    for (const auto& one : from) {
      unread.erase(one.substr(0, one.find('.')));
      list += (list.empty() ? "" : ", ") + input(one, random);
    }
    return list;
  };
  for (std::uint64_t i = 0, count = random.below(7); i < count; ++i) {
    const auto kind = kKinds[random.below(4)];
    const auto name = fmt::format("m{}", i);
    text += fmt::format("    - {{name: {}, stage: {}, inputs: [{}], options: {{seed: {}}}}}\n", name, kind, inputs(), random.below(1000));
    add(name);
    if (kind.ends_with("chance") && random.below(2) == 0) names.push_back(name + ".other");
  }
  std::string rest;
  for (const auto& one : unread) rest += (rest.empty() ? "" : ", ") + input(one, random);
  if (rest.empty()) rest = input(names.front(), random);
  return text + fmt::format("    - {{name: end, stage: gate, inputs: [{}]}}\n", rest);
}

class LedgerTest : public FlowTest {
 protected:
  /// What a stage has let out is what those behind it have been given.
  void check_end(const StreamState& state, const StreamSpec& spec) {
    for (const auto& entry : spec.stages) {
      std::uint64_t out = 0;
      std::uint64_t stored = 0;
      for (const auto& name : entry.inputs) {
        const auto& one = link(state, fmt::format("{}->{}", name, entry.name));
        EXPECT_EQ(one.in_flight, 0U) << one.link;
        out += one.out;
        stored += one.stored;
      }
      if (!entry.inputs.empty()) {
        EXPECT_EQ(row(state, entry.name).consumed, out) << entry.name;
      }
      EXPECT_TRUE(row(state, entry.name).held == 0 || stored > 0) << entry.name;
    }
  }
};

TEST_F(LedgerTest, AddsUpInEverySnapshotOfRandomStreams) {
  Rng random(20261130);
  for (int round = 0; round < 60; ++round) {
    auto folder = TempFolder::create("moru-ledger");
    ASSERT_TRUE(folder);
    const auto stages = random_stages(random);
    SCOPED_TRACE(stages);
    bench_ = std::make_shared<Bench>();
    const auto spec = read(stages);
    ASSERT_TRUE(spec) << spec.error().message;
    const bool stopped = random.below(3) == 0;
    if (random.below(4) == 0) bench_->set_gate(false);
    const auto stream = start(stages, nullptr, folder->path());
    for (std::uint64_t looks = 0, most = stopped ? random.below(200) : UINT64_MAX; looks < most && !stream->finished(); ++looks) {
      expect_balanced(stream->state());
      if (looks == 20) bench_->set_gate(true);
    }
    stream->stop();
    const auto state = stream->state();
    expect_balanced(state);
    check_end(state, *spec);
    for (const auto& entry : spec->stages) {
      if (entry.stage != "letters" && entry.stage != "ticks") continue;
      EXPECT_TRUE(stopped || row(state, entry.name).emitted + row(state, entry.name).dropped_total() == kItems) << entry.name;
      EXPECT_EQ(row(state, entry.name).unsettled, 0U) << entry.name;
    }
  }
}

}  // namespace
}  // namespace moru::edge::testing
