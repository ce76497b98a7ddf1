// SPDX-License-Identifier: Apache-2.0
#include "wire/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/json.h"
#include "core/random.h"

namespace moru::wire {
namespace {

using ::testing::HasSubstr;

Desired desired() {
  Desired message;
  message.generation = 7;
  message.deployment = Desired::Deployment{.id = "rollout-3",
                                           .release = 2,
                                           .url = "/v1/releases/2/bundle",
                                           .sha256 = std::string(64, 'a'),
                                           .size = 12345,
                                           .action = "stage",
                                           .soak_items = 300};
  message.drain_at = 10'000;
  return message;
}

NodeState state() {
  NodeState message;
  message.node = "node-1";
  message.agent_version = "0.1.0";
  message.machine = "x86_64, 2 cores";
  message.time = 1'700'000'000 * kSecond;
  message.generation = 7;
  message.release = 1;
  message.release_name = "factory-line";
  message.deployment = NodeState::DeploymentState{.id = "rollout-3",
                                                  .release = 2,
                                                  .phase = DeploymentPhase::kShadowing,
                                                  .reason = "",
                                                  .shadow = {.items = 100,
                                                             .agree = 97,
                                                             .labelled = 100,
                                                             .both_right = 90,
                                                             .only_current = 4,
                                                             .only_candidate = 3,
                                                             .errors = 1,
                                                             .current_p99_ns = 5,
                                                             .candidate_p99_ns = 6}};
  message.stream = "line";
  message.stream_state = "running";
  message.items = 100;
  message.missed = 2;
  message.items_per_second = 199.5;
  message.latency_p50_ns = 1000;
  message.latency_p99_ns = 2000;
  message.ledger = {
      {.link = "source->infer", .in = 100, .out = 90, .in_flight = 5, .stored = 0, .dropped = {{"filtered", 3}, {"no model", 2}}}};
  return message;
}

RecordBatch batch(std::size_t count, std::uint64_t first = 1) {
  RecordBatch message{.stream = "line", .records = {}};
  for (std::size_t i = 0; i < count; ++i)
    message.records.push_back({.sequence = first + i, .kind = i % 2 == 0 ? "result" : "alert", .body = R"({"class":3})"});
  return message;
}

TEST(Messages, DesiredGoesThroughJson) {
  const auto copy = read_desired(write(desired()));
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ(write(*copy), write(desired()));
  EXPECT_EQ(copy->deployment->size, 12345U);
  EXPECT_EQ(copy->deployment->soak_items, 300);
  EXPECT_EQ(*copy->drain_at, 10'000U);

  const auto empty = read_desired(write(Desired{}));
  ASSERT_TRUE(empty);
  EXPECT_FALSE(empty->deployment);
  EXPECT_FALSE(empty->drain_at);
}

TEST(Messages, StateGoesThroughJsonInEveryPhase) {
  for (int phase = 0; phase <= static_cast<int>(DeploymentPhase::kRefused); ++phase) {
    NodeState message = state();
    message.deployment->phase = static_cast<DeploymentPhase>(phase);
    const auto copy = read_node_state(write(message));
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_EQ(copy->deployment->phase, message.deployment->phase);
    EXPECT_EQ(write(*copy), write(message));
  }
}

TEST(Messages, RecordsAndAcksGoThroughJson) {
  const auto records = read_record_batch(write(batch(200, 17)));
  ASSERT_TRUE(records) << records.error().message;
  EXPECT_EQ(write(*records), write(batch(200, 17)));
  const auto ack = read_ack(write(Ack{.stream = "line", .sequence = 216}));
  ASSERT_TRUE(ack);
  EXPECT_EQ(ack->sequence, 216U);
  EXPECT_EQ(ack->stream, "line");
}

TEST(Messages, ALongReasonOfBrokenTextStillGoesThrough) {
  NodeState message = state();
  message.deployment->reason = std::string(100'000, '\xff');
  message.stream_state = "failed: \xc3";
  const auto copy = read_node_state(write(message));
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_THAT(copy->stream_state, HasSubstr("failed: "));
}

TEST(Messages, LedgerKnowsWhetherItBalances) {
  LinkLedger link = state().ledger[0];
  EXPECT_EQ(link.dropped_total(), 5U);
  EXPECT_TRUE(link.balanced());
  ++link.out;
  EXPECT_FALSE(link.balanced());
}

/// The message as JSON with one change.
template <class Change>
std::string changed(const std::string& text, Change&& change) {
  Json json = *parse_json(text, "test");
  change(json);
  return json.dump();
}

TEST(Messages, DesiredRefusesWhatIsWrongAndNamesTheField) {
  const auto expect_wrong = [](auto&& change, const char* field) {
    const auto result = read_desired(changed(write(desired()), change));
    ASSERT_FALSE(result) << field;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(result.error().message, HasSubstr(field));
  };
  expect_wrong([](Json& j) { j.erase("generation"); }, "generation");
  expect_wrong([](Json& j) { j["generation"] = -1; }, "generation");
  expect_wrong([](Json& j) { j["generation"] = 1.5; }, "generation");
  expect_wrong([](Json& j) { j["generation"] = 1e300; }, "generation");
  expect_wrong([](Json& j) { j["drain_at"] = "all"; }, "drain_at");
  expect_wrong([](Json& j) { j["deployment"] = 3; }, "deployment");
  expect_wrong([](Json& j) { j["deployment"]["id"] = "../../etc"; }, "'id'");
  expect_wrong([](Json& j) { j["deployment"]["id"] = ""; }, "'id'");
  expect_wrong([](Json& j) { j["deployment"]["release"] = 0; }, "release");
  expect_wrong([](Json& j) { j["deployment"]["url"] = "https://elsewhere/x"; }, "url");
  expect_wrong([](Json& j) { j["deployment"]["url"] = "/v1/../x"; }, "url");
  expect_wrong([](Json& j) { j["deployment"]["url"] = "/v1/x\r\nHost: y"; }, "url");
  expect_wrong([](Json& j) { j["deployment"]["sha256"] = "abc"; }, "sha256");
  expect_wrong([](Json& j) { j["deployment"]["sha256"] = std::string(64, 'G'); }, "sha256");
  expect_wrong([](Json& j) { j["deployment"]["size"] = 0; }, "size");
  expect_wrong([](Json& j) { j["deployment"]["size"] = std::uint64_t{1} << 60U; }, "size");
  expect_wrong([](Json& j) { j["deployment"]["action"] = "explode"; }, "action");
  expect_wrong([](Json& j) { j["deployment"]["soak_items"] = 0; }, "soak_items");
  EXPECT_FALSE(read_desired("[]"));
  EXPECT_FALSE(read_desired(""));
  EXPECT_FALSE(read_desired(std::string(100'000, '[')));
}

TEST(Messages, StateRefusesWhatIsWrongAndNamesTheField) {
  const auto expect_wrong = [](auto&& change, const char* field) {
    const auto result = read_node_state(changed(write(state()), change));
    ASSERT_FALSE(result) << field;
    EXPECT_THAT(result.error().message, HasSubstr(field));
  };
  expect_wrong([](Json& j) { j["node"] = "a/b"; }, "node");
  expect_wrong([](Json& j) { j["node"] = "#"; }, "node");
  expect_wrong([](Json& j) { j["time"] = -1; }, "time");
  expect_wrong([](Json& j) { j["items_per_second"] = -2.0; }, "items_per_second");
  expect_wrong([](Json& j) { j["items"] = -1; }, "items");
  expect_wrong([](Json& j) { j["machine"] = std::string(10'000, 'x'); }, "machine");
  expect_wrong([](Json& j) { j["deployment"]["phase"] = "sleeping"; }, "phase");
  expect_wrong([](Json& j) { j["deployment"]["shadow"]["agree"] = 101; }, "shadow");
  expect_wrong([](Json& j) { j["deployment"]["shadow"]["both_right"] = 95; }, "shadow");
  expect_wrong([](Json& j) { j["deployment"].erase("shadow"); }, "shadow");
  expect_wrong([](Json& j) { j["ledger"] = Json::object(); }, "ledger");
  expect_wrong([](Json& j) { j["ledger"][0]["in"] = "many"; }, "ledger[0]");
  expect_wrong([](Json& j) { j["ledger"][0]["dropped"]["filtered"] = -1; }, "filtered");
  expect_wrong(
      [](Json& j) {
        for (int i = 0; i < 300; ++i) j["ledger"].push_back(Json(j["ledger"][0]));
      },
      "ledger");
}

TEST(Messages, RecordsRefuseWhatIsWrong) {
  const auto expect_wrong = [](auto&& change, const char* text) {
    const auto result = read_record_batch(changed(write(batch(3)), change));
    ASSERT_FALSE(result) << text;
    EXPECT_THAT(result.error().message, HasSubstr(text));
  };
  expect_wrong([](Json& j) { j["stream"] = "a b"; }, "stream");
  expect_wrong([](Json& j) { j["records"] = Json::array(); }, "found none");
  expect_wrong([](Json& j) { j["records"][1]["sequence"] = 3; }, "records[1]");
  expect_wrong([](Json& j) { j["records"][0]["sequence"] = 0; }, "records[0]");
  expect_wrong([](Json& j) { j["records"][2]["kind"] = "rumour"; }, "kind");
  expect_wrong([](Json& j) { j["records"][2]["body"] = "not json"; }, "records[2].body");
  expect_wrong([](Json& j) { j["records"][2]["body"] = "[1]"; }, "records[2].body");
  expect_wrong([](Json& j) { j["records"][2]["body"] = "{\"x\":\"" + std::string(17'000, 'a') + "\"}"; }, "body");
  expect_wrong([](Json& j) { j["records"][2] = 1; }, "records[2]");
}

TEST(Messages, ARecordLostOnDiskKeepsItsPlace) {
  RecordBatch message = batch(2);
  message.records[1].kind = "lost";
  EXPECT_TRUE(read_record_batch(write(message)));
}

TEST(Messages, ABatchHasAtMostTenThousandRecords) {
  EXPECT_TRUE(read_record_batch(write(batch(10'000))));
  const auto result = read_record_batch(write(batch(10'001)));
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("10001"));
}

TEST(Messages, SurviveMutations) {
  const std::vector<std::string> seeds{write(desired()), write(state()), write(batch(5)), write(Ack{.stream = "line", .sequence = 3})};
  Rng rng(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string text = seeds[rng.below(seeds.size())];
    for (std::uint64_t i = 0; i <= rng.below(5); ++i) {
      const auto at = rng.below(text.size());
      switch (rng.below(3)) {
        case 0: text[at] = static_cast<char>(rng.below(256)); break;
        case 1: text.erase(at, rng.below(10)); break;
        default: text.insert(at, text.substr(rng.below(text.size()), rng.below(20))); break;
      }
      if (text.empty()) text = "{";
    }
    // What is taken must be whole: it is written and read again without a change.
    if (const auto message = read_desired(text)) {
      EXPECT_EQ(write(*read_desired(write(*message))), write(*message));
    }
    if (const auto message = read_node_state(text)) {
      EXPECT_EQ(write(*read_node_state(write(*message))), write(*message));
    }
    if (const auto message = read_record_batch(text)) {
      EXPECT_EQ(write(*read_record_batch(write(*message))), write(*message));
    }
    if (const auto message = read_ack(text)) {
      EXPECT_EQ(write(*read_ack(write(*message))), write(*message));
    }
  }
}

TEST(Topics, GoThroughTextAndRefuseOthers) {
  const auto topic = parse_node_topic(node_topic("node-1", "records"));
  ASSERT_TRUE(topic);
  EXPECT_EQ(topic->node, "node-1");
  EXPECT_EQ(topic->kind, "records");
  for (const char* text : {"", "moru/v1/nodes", "moru/v1/nodes/a/b", "moru/v2/nodes/a/state", "moru/v1/nodes//state",
                           "moru/v1/nodes/+/state", "moru/v1/nodes/a/state/x"}) {
    EXPECT_FALSE(parse_node_topic(text)) << text;
  }
}

TEST(NodeNames, AreShortAndPlain) {
  EXPECT_TRUE(valid_node_name("Line_4-east"));
  EXPECT_TRUE(valid_node_name(std::string(64, 'a')));
  for (const std::string& name : {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a/b"), std::string("#"),
                                  std::string("+"), std::string("é"), std::string("a\0b", 3)}) {
    EXPECT_FALSE(valid_node_name(name)) << name;
  }
}

}  // namespace
}  // namespace moru::wire
