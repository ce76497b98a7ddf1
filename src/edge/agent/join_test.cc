// SPDX-License-Identifier: Apache-2.0
// Against a small TLS server that answers as a hub does.
#include "edge/agent/join.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "core/json.h"
#include "core/process.h"
#include "trust/certificates.h"
#include "trust/join_token.h"
#include "wire/testing/tls_server.h"

namespace moru::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using wire::testing::TestRequest;
using wire::testing::TestResponse;
using wire::testing::TlsServer;

class JoinTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto ca = trust::CertificateAuthority::load_or_create(folder_.path() / "ca");
    auto other = trust::CertificateAuthority::load_or_create(folder_.path() / "other");
    ASSERT_TRUE(ca && other);
    ca_.emplace(std::move(*ca));
    other_.emplace(std::move(*other));
    serve(*ca_);
    token_ = std::move(*trust::make_token(hub_->url(), ca_->fingerprint(), 2'000'000'000 * kSecond));
  }
  void serve(const trust::CertificateAuthority& ca) {
    const auto pair = ca.issue_server("hub", {"127.0.0.1"});
    auto hub = TlsServer::start({.certificate_pem = pair->certificate_pem, .key_pem = pair->key_pem, .client_ca_pem = {}},
                                [this](const TestRequest& request) { return answer(request); });
    ASSERT_TRUE(hub) << hub.error().message;
    hub_ = std::move(*hub);
  }
  TestResponse answer(const TestRequest& request) {
    if (request.path == "/v1/ca")
      return {
          .status = 200, .body = Json{{"certificate", shown_ca_.empty() ? ca_->certificate_pem() : shown_ca_}}.dump(), .content_range = {}};
    ++joins_;
    const auto asked = parse_json(request.body, "test");
    if (status_ != 200) return {.status = status_, .body = R"({"error":"the hub says no"})", .content_range = {}};
    if (asked->value("token_id", "") != token_.id || asked->value("secret", "") != token_.secret)
      return {.status = 403, .body = R"({"error":"wrong token"})", .content_range = {}};
    const std::string name = asked->value("name", "");
    const auto certificate = ca_->issue_client(asked->value("request", ""), name);
    Json body{{"node", name},
              {"certificate", certificate.value_or("")},
              {"mqtt_host", "127.0.0.1"},
              {"mqtt_port", 18883},
              {"release_keys", Json::array({key_.public_key().to_pem()})}};
    if (change_) change_(body);
    return {.status = 200, .body = body.dump(), .content_range = {}};
  }
  Result<NodeIdentity> join(const std::string& name = "node-1") {
    return join_hub({.token = write_token(token_), .name = name, .home = home(), .timeout = 10 * kSecond});
  }
  Path home() const { return folder_.path() / "home"; }
  HomePaths paths() const { return {home()}; }

  TempFolder folder_ = std::move(*TempFolder::create("moru-join-test"));
  std::optional<trust::CertificateAuthority> ca_;
  std::optional<trust::CertificateAuthority> other_;
  trust::SigningKey key_ = std::move(*trust::SigningKey::generate());
  trust::JoinToken token_;
  std::string shown_ca_;
  int status_ = 200;
  std::atomic<int> joins_{0};
  std::function<void(Json&)> change_;
  std::unique_ptr<TlsServer> hub_;
};

TEST_F(JoinTest, ANodeGetsItsIdentity) {
  const auto identity = join();
  ASSERT_TRUE(identity) << identity.error().message;
  EXPECT_EQ(identity->node, "node-1");
  const auto read = read_identity(paths());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->node, "node-1");
  EXPECT_EQ(read->hub_url, hub_->url());
  EXPECT_EQ(read->mqtt_port, 18883);
  ASSERT_EQ(read->release_keys.size(), 1U);
  EXPECT_EQ(read->release_keys[0].id(), key_.public_key().id());
  EXPECT_EQ(*read_file(paths().ca()), ca_->certificate_pem());
  struct stat info{};
  ASSERT_EQ(::stat(paths().key().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  ASSERT_EQ(::stat(home().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0700U);
}

TEST_F(JoinTest, ExpiredUsedAndRefusedTokensAreToldApart) {
  status_ = 410;
  EXPECT_THAT(join().error().message, HasSubstr("the token has expired"));
  EXPECT_EQ(join().error().code, ErrorCode::kInvalidArgument);
  status_ = 409;
  EXPECT_THAT(join().error().message, HasSubstr("used before"));
  status_ = 403;
  EXPECT_THAT(join().error().message, HasSubstr("the hub says no"));
  status_ = 503;
  EXPECT_EQ(join().error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(paths().hub()));
  EXPECT_FALSE(std::filesystem::exists(paths().key()));
}

TEST_F(JoinTest, AnotherCaIsNoticedBeforeTheSecretIsSaid) {
  serve(*other_);  // somebody in between, with a certificate of his own
  token_.hub_url = hub_->url();
  shown_ca_ = other_->certificate_pem();
  const auto swapped = join();
  ASSERT_FALSE(swapped);
  EXPECT_EQ(swapped.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(swapped.error().message, HasSubstr("nothing was sent"));
  EXPECT_EQ(joins_, 0);

  shown_ca_ = ca_->certificate_pem();  // shows the right CA, but cannot prove that it is the hub
  const auto unproven = join();
  ASSERT_FALSE(unproven);
  EXPECT_EQ(unproven.error().code, ErrorCode::kCorrupt) << unproven.error().message;
  EXPECT_EQ(joins_, 0);
}

TEST_F(JoinTest, AHubThatIsNotThereIsUnavailable) {
  token_.hub_url = fmt::format("https://127.0.0.1:{}", *free_port());
  const auto result = join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(result.error().message, HasSubstr("is a server running"));
}

TEST_F(JoinTest, GarbledTokensAndBadNamesAreSaidWithoutTheSecret) {
  const auto garbled = join_hub({.token = write_token(token_).substr(0, 100), .name = "node-1", .home = home()});
  ASSERT_FALSE(garbled);
  EXPECT_EQ(garbled.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(garbled.error().message, Not(HasSubstr(token_.secret.substr(0, 12))));
  EXPECT_FALSE(join("a/b"));
  EXPECT_FALSE(join(""));
  EXPECT_EQ(joins_, 0);
}

TEST_F(JoinTest, AnAnswerThatMakesNoSenseIsRefusedAndAnEarlierMembershipStays) {
  ASSERT_TRUE(join());
  const std::string before = *read_file(paths().hub());
  const std::string key_before = *read_file(paths().key());
  const std::vector<std::function<void(Json&)>> changes{
      [](Json& body) { body["node"] = "somebody-else"; },
      [](Json& body) { body["mqtt_port"] = 0; },
      [](Json& body) { body["mqtt_port"] = "many"; },
      [](Json& body) { body["mqtt_host"] = "a b\n"; },
      [](Json& body) { body["release_keys"] = Json::array(); },
      [](Json& body) { body["release_keys"] = Json::array({"garbage"}); },
      [](Json& body) { body["release_keys"] = Json::array({7}); },
      [](Json& body) { body["certificate"] = "garbage"; },
      [](Json& body) { body.erase("certificate"); },
      [](Json& body) { body = Json::array(); },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    change_ = changes[i];
    EXPECT_FALSE(join()) << i;
    EXPECT_EQ(*read_file(paths().hub()), before);
    EXPECT_EQ(*read_file(paths().key()), key_before);
  }
  change_ = nullptr;
  ASSERT_TRUE(join("node-2"));
  EXPECT_EQ(read_identity(paths())->node, "node-2");
}

TEST_F(JoinTest, AHomeThatHasNotJoinedSaysHowTo) {
  const auto identity = read_identity(paths());
  ASSERT_FALSE(identity);
  EXPECT_EQ(identity.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(identity.error().message, HasSubstr("moru-agent join"));
  ASSERT_TRUE(make_folders(home()));
  for (const char* text : {"", "{}", R"({"node":"a","hub_url":"http://x","mqtt_host":"h","mqtt_port":1})",
                           R"({"node":"a b","hub_url":"https://x","mqtt_host":"h","mqtt_port":1})"}) {
    ASSERT_TRUE(write_file_atomic(paths().hub(), text));
    EXPECT_FALSE(read_identity(paths())) << text;
  }
}

}  // namespace
}  // namespace moru::edge
