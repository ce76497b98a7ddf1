// SPDX-License-Identifier: Apache-2.0
// The source with a client of the house, in whole streams: what is answered is what has become of the items.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <thread>

#include "core/json.h"
#include "core/process.h"
#include "edge/streams/stage_for_test.h"
#include "edge/streams/stages/http_for_test.h"
#include "wire/http.h"

namespace moru::edge {
namespace {

using ::testing::HasSubstr;

/// A sink that keeps its items until it is told what becomes of them. One in the process.
class Keeper final : public Stage {
 public:
  Status open(const StageContext&) override { return {}; }
  Status process(Item&& item, Output& output) override {
    const std::lock_guard lock(mutex);
    kept.push_back(std::move(item));
    output.used(1);
    return {};
  }
  static void settle(bool stored) {
    const std::lock_guard lock(mutex);
    for (const Item& item : kept) {
      if (!stored) item.receipt.revoke();
    }
    kept.clear();
  }
  static std::size_t count() {
    const std::lock_guard lock(mutex);
    return kept.size();
  }
  static inline std::mutex mutex;
  static inline std::vector<Item> kept;
};
const StageSpec kKeeper{.name = "keeper",
                        .kind = StageKind::kSink,
                        .doc = "",
                        .example = "",
                        .create = [](const ConfigObject&) -> Result<std::unique_ptr<Stage>> { return std::make_unique<Keeper>(); },
                        .holds = true};

class HttpPushTest : public ::testing::Test {
 protected:
  void start(const std::string& options = "", const std::string& sink = "stage: keeper") {
    std::vector<const StageSpec*> table(all_stages().begin(), all_stages().end());
    table.push_back(&kKeeper);
    port_ = *free_port();
    stream_ = testing::start_stream(fmt::format(R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {{name: push}}
spec:
  stages:
    - {{name: door, stage: http_push, options: {{listen: "127.0.0.1:{}", fields: {{device: text, value: double degC}}, time: at, time_unit: ns{}}}}}
    - {{name: hot, stage: filter, inputs: [door], options: {{where: value > 10}}}}
    - {{name: end, inputs: [hot], {}}}
)",
                                                port_, options, sink),
                                    {}, table);
    ASSERT_NE(stream_, nullptr);
    client_.plain = true;
    client_.timeout = 60 * kSecond;
  }
  Result<wire::HttpResponse> post(const std::string& body, const std::string& type = "application/json") const {
    auto options = client_;
    options.content_type = type;
    return wire::http_post(fmt::format("http://127.0.0.1:{}/", port_), body, options);
  }
  int status_of(const std::string& body, const std::string& type = "application/json") const {
    const auto response = post(body, type);
    return response ? response->status : -1;
  }
  static void wait_until_kept(std::size_t items) {
    while (Keeper::count() < items) std::this_thread::yield();
  }
  void TearDown() override {
    Keeper::settle(true);
    stream_.reset();
  }

  int port_ = 0;
  wire::HttpOptions client_;
  std::unique_ptr<Stream> stream_;
};

constexpr const char* kTwo = R"([{"at": 1, "device": "a", "value": 60.5}, {"at": 2, "device": "b", "value": 70}])";

TEST_F(HttpPushTest, AnswersWhenTheItemsAreStored) {
  start();
  std::jthread client([&] { EXPECT_EQ(status_of(kTwo), 200); });
  wait_until_kept(2);
  EXPECT_EQ(stream_->state().stages[0].unsettled, 2U);
  {
    const std::lock_guard lock(Keeper::mutex);
    EXPECT_EQ(Keeper::kept[1].event_time, 2);
    EXPECT_EQ(Keeper::kept[1].text("device"), "b");
  }
  Keeper::settle(true);
  client.join();
}

TEST_F(HttpPushTest, WhatIsFilteredAwayIsDoneAndWhatIsLostMustComeAgain) {
  start();
  EXPECT_EQ(status_of(R"({"at": 1, "value": 3})"), 200);
  Result<wire::HttpResponse> response = wire::HttpResponse{};
  std::jthread client([&] { response = post(kTwo); });
  wait_until_kept(2);
  Keeper::settle(false);
  client.join();
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 503);
  EXPECT_EQ(response->retry_after, kSecond);
}

TEST_F(HttpPushTest, TakesOneItemSeveralAndLines) {
  start("", "stage: \"null\"");
  EXPECT_EQ(status_of(R"({"at": 1, "value": 30})"), 200);
  EXPECT_EQ(status_of(kTwo), 200);
  EXPECT_EQ(status_of("{\"at\": 1, \"value\": 30}\n\n{\"at\": 2, \"value\": 40}\n", "application/x-ndjson"), 200);
  EXPECT_EQ(status_of("[]"), 200);
  EXPECT_EQ(stream_->state().items, 5U);
}

TEST_F(HttpPushTest, ARequestWithOneBadRecordIsRefusedWhole) {
  start("", "stage: \"null\"");
  const auto response = post(R"([{"at": 1, "value": 30}, {"at": 2, "value": "hot"}])");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 422);
  EXPECT_THAT(response->body, HasSubstr("item 2: wrong type"));
  EXPECT_EQ(status_of("{\"at\": 1"), 422);
  EXPECT_EQ(status_of("7"), 422);
  EXPECT_EQ(status_of("{\"at\": \"soon\"}"), 422);
  EXPECT_EQ(status_of(std::string(1 << 21, 'x')), 413);
  stream_->stop();
  const auto state = stream_->state();
  EXPECT_EQ(state.items, 0U);
  EXPECT_EQ(state.stages[0].dropped_total(), 4U);
}

TEST_F(HttpPushTest, AFullQueueIsSaidAndTheRestGoesOn) {
  start(", queue: 2");
  EXPECT_EQ(status_of(R"([{"at":1,"value":20},{"at":2,"value":20},{"at":3,"value":20}])"), 413);  // would never fit
  std::jthread client([&] { EXPECT_EQ(status_of(kTwo), 200); });
  wait_until_kept(2);
  const auto refused = post(R"({"at": 3, "value": 20})");
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->retry_after, kSecond);
  Keeper::settle(true);
  client.join();
  std::jthread next([&] { EXPECT_EQ(status_of(R"({"at": 3, "value": 20})"), 200); });
  wait_until_kept(1);
  Keeper::settle(true);
}

TEST_F(HttpPushTest, AStopAnswersWhoWaitsAsSoonAsItIsKnown) {
  start();
  std::jthread client([&] { EXPECT_EQ(status_of(kTwo), 200); });
  wait_until_kept(2);
  std::jthread stopper([&] { stream_->stop(); });
  Keeper::settle(true);
  client.join();
  stopper.join();
  EXPECT_EQ(stream_->state().state, "stopped");
}

TEST_F(HttpPushTest, AsksForItsToken) {
  const auto folder = TempFolder::create("moru-push");
  ASSERT_TRUE(write_file_atomic(folder->path() / "token", "s3cret\n", 0600));
  start(fmt::format(", token_file: {}/token", folder->path().string()), "stage: \"null\"");
  EXPECT_EQ(status_of(kTwo), 401);
  client_.bearer = "guess";
  EXPECT_EQ(status_of(kTwo), 401);
  client_.bearer = "s3cret";
  EXPECT_EQ(status_of(kTwo), 200);
  EXPECT_EQ(wire::http_get(fmt::format("http://127.0.0.1:{}/", port_), client_)->status, 405);
  EXPECT_EQ(wire::http_post(fmt::format("http://127.0.0.1:{}/other", port_), "{}", client_)->status, 404);
}

TEST_F(HttpPushTest, EndsAfterSoManyItems) {
  start(", items: 2", "stage: \"null\"");
  EXPECT_EQ(status_of(kTwo), 200);
  testing::run_to_end(*stream_);
  EXPECT_EQ(stream_->state().state, "finished");
}

}  // namespace
}  // namespace moru::edge
