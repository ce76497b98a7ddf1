// SPDX-License-Identifier: Apache-2.0
// The sink against a server of the test's own.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <set>

#include "core/json.h"
#include "core/process.h"
#include "edge/streams/stage_for_test.h"
#include "edge/streams/stages/http_for_test.h"
#include "trust/certificates.h"

namespace moru::edge {
namespace {

using testing::Caught;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Receiver;
using testing::status;

class WebhookTest : public ::testing::Test {
 protected:
  void open(const std::string& url, const std::string& options = "") {
    auto made = testing::make_stage("webhook", fmt::format("{{url: \"{}\", plain: true, retry_first_ms: 1{}}}", url, options));
    ASSERT_TRUE(made) << made.error().message;
    stage_ = std::move(*made);
    StageContext context{.clock = &clock_, .resources = {}, .stream = "line", .stop = stop_.get_token()};
    const auto opened = stage_->open(context);
    ASSERT_TRUE(opened) << opened.error().message;
  }
  void send(std::uint64_t sequence, std::int64_t value = 1) {
    Item item;
    item.sequence = sequence;
    item.event_time = 1000;
    item.set("value", value);
    item.receipt = book_->issue(sequence);
    ASSERT_TRUE(stage_->process(std::move(item), caught_));
  }

  Clock& clock_ = system_clock();
  std::stop_source stop_;
  std::map<std::uint64_t, Outcome> settled_;
  std::shared_ptr<ReceiptBook> book_ =
      std::make_shared<ReceiptBook>([this](std::uint64_t number, Outcome outcome) { settled_[number] = outcome; });
  Caught caught_;
  std::unique_ptr<Stage> stage_;
};

TEST_F(WebhookTest, PostsAnItemAndIsDoneWhenItIsTaken) {
  Receiver receiver([](const auto&) { return status(201); });
  open(receiver.url());
  send(7, 42);
  EXPECT_EQ(caught_.used_items, 1U);
  EXPECT_THAT(settled_, ElementsAre(::testing::Pair(7U, Outcome::kDone)));
  const auto requests = receiver.requests();
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].method, "POST");
  EXPECT_EQ(requests[0].content_type, "application/json");
  EXPECT_EQ(requests[0].body, R"({"seq":7,"time":1000,"value":42})");
  EXPECT_THAT(requests[0].idempotency_key, HasSubstr("line-7-"));
}

TEST_F(WebhookTest, TriesAgainWithTheSameKeyUntilItIsTaken) {
  std::atomic<int> asked = 0;
  Receiver receiver([&](const auto&) {
    const int n = ++asked;
    return status(n == 1 ? 503 : n == 2 ? 429 : n == 3 ? 401 : 200);
  });
  open(receiver.url());
  send(1);
  EXPECT_EQ(caught_.used_items, 1U);
  std::set<std::string> keys;
  for (const auto& request : receiver.requests()) keys.insert(request.idempotency_key);
  EXPECT_EQ(receiver.requests().size(), 4U);
  EXPECT_EQ(keys.size(), 1U);
}

TEST_F(WebhookTest, WaitsAsLongAsRetryAfterSays) {
  FakeClock fake;
  std::atomic<int> asked = 0;
  Receiver receiver([&](const auto&) {
    auto response = status(asked++ == 0 ? 503 : 200);
    if (response.status == 503) response.headers.emplace_back("Retry-After", "30");
    return response;
  });
  open(receiver.url());
  StageContext context{.clock = &fake, .resources = {}, .stream = "line", .stop = stop_.get_token()};
  ASSERT_TRUE(stage_->open(context));
  std::jthread sender([&] { send(1); });
  receiver.wait_for(1);
  while (stage_->waiting_for().empty()) std::this_thread::yield();
  fake.advance(29 * kSecond);
  EXPECT_EQ(receiver.requests().size(), 1U);
  EXPECT_THAT(stage_->waiting_for(), HasSubstr(receiver.url()));
  while (receiver.requests().size() < 2) fake.advance(kSecond);
  sender.join();
  EXPECT_EQ(caught_.used_items, 1U);
}

TEST_F(WebhookTest, ABadItemDoesNotTakeItsBatchWithIt) {
  Receiver receiver([](const auto& request) { return status(request.body.find("\"value\":13") == std::string::npos ? 200 : 422); });
  open(receiver.url(), ", batch: 5");
  for (std::uint64_t i = 1; i <= 5; ++i) send(i, static_cast<std::int64_t>(10 + i));
  EXPECT_EQ(caught_.used_items, 4U);
  EXPECT_THAT(caught_.reasons, ElementsAre("rejected: status 422"));
  EXPECT_EQ(settled_.size(), 5U);  // a rejected one has met its end, too
}

TEST_F(WebhookTest, ABatchGoesOutWhenItIsFullWhenItsTimeHasComeAndAtTheEnd) {
  Receiver receiver([](const auto&) { return status(200); });
  open(receiver.url(), ", batch: 2, format: ndjson, max_delay_ms: 50");
  EXPECT_EQ(stage_->due(), kNeverDue);
  send(1);
  EXPECT_EQ(stage_->held(), 1U);
  EXPECT_LT(stage_->due(), clock_.steady_now() + kSecond);
  send(2);
  EXPECT_EQ(stage_->held(), 0U);
  send(3);
  stage_->on_due(caught_);
  send(4);
  stage_->finish(caught_);
  EXPECT_EQ(caught_.used_items, 4U);
  const auto requests = receiver.requests();
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].body, "{\"seq\":1,\"time\":1000,\"value\":1}\n{\"seq\":2,\"time\":1000,\"value\":1}\n");
  EXPECT_EQ(requests[0].content_type, "application/x-ndjson");
}

TEST_F(WebhookTest, AStopEndsTheWaitAndWhatIsLeftMustBeSentAgain) {
  const auto port = free_port();
  ASSERT_TRUE(port);
  open(fmt::format("http://127.0.0.1:{}/", *port), ", batch: 2");
  send(1);
  stop_.request_stop();
  send(2);
  send(3);
  stage_->finish(caught_);
  EXPECT_THAT(caught_.reasons, Each("stopped"));
  EXPECT_EQ(caught_.reasons.size(), 3U);
  EXPECT_EQ(settled_.size(), 3U);
  for (const auto& [number, outcome] : settled_) EXPECT_EQ(outcome, Outcome::kAgain) << number;
}

TEST_F(WebhookTest, GivesUpWhereItIsToldTo) {
  const auto port = free_port();
  open(fmt::format("http://127.0.0.1:{}/", *port), ", give_up_after_s: 0.005");
  send(1);
  EXPECT_THAT(caught_.reasons, ElementsAre("no receiver"));
  EXPECT_EQ(settled_[1], Outcome::kAgain);
}

TEST_F(WebhookTest, ShowsItsTokenAndTrustsOneAuthority) {
  const auto folder = TempFolder::create("moru-webhook");
  ASSERT_TRUE(folder);
  const auto authority = trust::CertificateAuthority::load_or_create(folder->path() / "ca");
  const auto other = trust::CertificateAuthority::load_or_create(folder->path() / "other");
  ASSERT_TRUE(authority && other);
  ASSERT_TRUE(write_file_atomic(folder->path() / "ca.pem", authority->certificate_pem()));
  ASSERT_TRUE(write_file_atomic(folder->path() / "other.pem", other->certificate_pem()));
  ASSERT_TRUE(write_file_atomic(folder->path() / "token", "s3cret\n"));
  const auto identity = authority->issue_server("desk", {"127.0.0.1"});
  ASSERT_TRUE(identity);
  wire::server::HttpServerOptions options;
  options.certificate_pem = identity->certificate_pem;
  options.key_pem = identity->key_pem;
  Receiver receiver([](const auto& request) { return status(request.authorization == "Bearer s3cret" ? 200 : 400); }, std::move(options));
  const auto url = fmt::format("https://127.0.0.1:{}/", receiver.port());
  const auto token = fmt::format(", token_file: {}/token", folder->path().string());
  open(url, token + fmt::format(", ca: {}/ca.pem", folder->path().string()));
  send(1);
  EXPECT_EQ(caught_.used_items, 1U);
  open(url, token + fmt::format(", ca: {}/other.pem, give_up_after_s: 0.005", folder->path().string()));
  send(2);
  EXPECT_THAT(caught_.reasons, ElementsAre("no receiver"));
}

TEST(WebhookOptions, AreChecked) {
  const auto error_of = [](const char* options) {
    const auto made = testing::make_stage("webhook", options);
    return made ? std::string() : made.error().message;
  };
  EXPECT_THAT(error_of("{url: \"http://desk/\"}"), HasSubstr("without TLS"));
  EXPECT_THAT(error_of("{url: \"ftp://desk/\"}"), HasSubstr("https://HOST/PATH"));
  EXPECT_THAT(error_of("{url: \"https://desk/\", batch: 2, format: object}"), HasSubstr("'array' or 'ndjson'"));
  EXPECT_THAT(error_of("{url: \"https://desk/\", certificate: a.pem}"), HasSubstr("both or none"));
  EXPECT_THAT(error_of("{url: \"https://desk/\", bach: 2}"), HasSubstr("'batch'"));
}

TEST(Webhook, ItsExampleRunsAgainstAServer) {
  Receiver receiver([](const auto&) { return status(200); });
  std::string example(find_stage("webhook")->example);
  const std::string from = "url: \"https://desk.example.com/readings\"";
  example.replace(example.find(from), from.size(), fmt::format("plain: true, url: \"{}\"", receiver.url()));
  testing::run_example(*find_stage("webhook"), all_stages(), example);
  EXPECT_EQ(receiver.requests().size(), 1U);
}

}  // namespace
}  // namespace moru::edge
