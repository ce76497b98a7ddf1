// SPDX-License-Identifier: Apache-2.0
// Who may do what, without sockets.
#include "fleet/hub/api/api.h"

#include <gmock/gmock.h>

#include "core/json.h"
#include "fleet/hub/api/assets.h"

namespace moru::fleet {
namespace {

using ::testing::HasSubstr;

class ApiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-api");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    auto store = Store::open(folder_->path(), clock_);
    ASSERT_TRUE(store);
    store_ = std::move(*store);
    nodes_ = std::make_unique<NodeBook>(*store_, clock_);
    auto rollouts = RolloutController::create(*store_, clock_, {.send = [](const auto&, const auto&) {}, .changed = [](const auto&) {}});
    ASSERT_TRUE(rollouts);
    rollouts_ = std::move(*rollouts);
    auto artefacts = Artefacts::open(folder_->path() / "artefacts");
    ASSERT_TRUE(artefacts);
    artefacts_.emplace(std::move(*artefacts));
    auto authority = trust::CertificateAuthority::load_or_create(folder_->path() / "ca");
    ASSERT_TRUE(authority);
    authority_.emplace(std::move(*authority));
    api_ = std::make_unique<Api>(ApiContext{.store = *store_,
                                            .nodes = *nodes_,
                                            .rollouts = *rollouts_,
                                            .artefacts = *artefacts_,
                                            .authority = *authority_,
                                            .clock = clock_,
                                            .operator_secret = "the-operators-secret",
                                            .release_keys = {},
                                            .url = [] { return std::string("https://127.0.0.1:1"); },
                                            .mqtt_port = [] { return 1; },
                                            .broker_status = [] { return Json::object(); }});
  }
  static HttpRequest request(const std::string& method, const std::string& path) {
    HttpRequest made;
    made.method = method;
    made.path = path;
    return made;
  }
  /// 0: admitted.
  int refusal(const HttpRequest& head) const {
    const auto admission = api_->admit(head);
    return admission.refusal ? admission.refusal->status : 0;
  }
  static std::string header(const HttpResponse& response, const std::string& name) {
    for (const auto& [key, value] : response.headers) {
      if (key == name) return value;
    }
    return {};
  }

  std::optional<TempFolder> folder_;
  FakeClock clock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<NodeBook> nodes_;
  std::unique_ptr<RolloutController> rollouts_;
  std::optional<Artefacts> artefacts_;
  std::optional<trust::CertificateAuthority> authority_;
  std::unique_ptr<Api> api_;
};

TEST_F(ApiTest, TheOperatorsSecretOpensWhatItShould) {
  auto head = request("GET", "/v1/nodes");
  EXPECT_EQ(refusal(head), 401);
  for (const char* text :
       {"Bearer", "Bearer ", "Bearer wrong", "Basic the-operators-secret", "the-operators-secret", "Bearer the-operators-secret2"}) {
    head.authorization = text;
    EXPECT_EQ(refusal(head), 401) << text;
  }
  head.authorization = "Bearer the-operators-secret";
  EXPECT_EQ(refusal(head), 0);
}

TEST_F(ApiTest, TheLoginSetsACookieThatOpensTheSame) {
  auto login = request("GET", "/");
  login.query["token"] = "the-operators-secret";
  const auto response = api_->handle(login);
  EXPECT_EQ(response.status, 303);
  EXPECT_EQ(header(response, "Location"), "/");
  const std::string cookie = header(response, "Set-Cookie");
  EXPECT_THAT(cookie, HasSubstr("; HttpOnly; Secure; SameSite=Strict"));
  auto head = request("GET", "/v1/nodes");
  head.cookie = "other=1; " + cookie.substr(0, cookie.find(';'));
  EXPECT_EQ(refusal(head), 0);
  head.cookie = "moru_x=the-operators-secret";
  EXPECT_EQ(refusal(head), 401);
  login.query["token"] = "wrong";
  EXPECT_EQ(api_->handle(login).status, 401);
}

TEST_F(ApiTest, ANodesCertificateOpensBundlesOnly) {
  auto head = request("GET", "/v1/releases/2/bundle");
  EXPECT_EQ(refusal(head), 401);
  head.peer = "node-1";
  EXPECT_EQ(refusal(head), 403);
  ASSERT_TRUE(store_->add_token("t", "s", "", clock_.wall_now() + kSecond));
  ASSERT_EQ(store_->redeem_token({"t", "s", "node-1", "r"}).value(), TokenOutcome::kAccepted);
  EXPECT_EQ(refusal(head), 0);
  head.path = "/v1/nodes";
  EXPECT_EQ(refusal(head), 401);
}

TEST_F(ApiTest, WrongMethodsNameTheRightOnes) {
  const auto admission = api_->admit(request("DELETE", "/v1/releases"));
  ASSERT_TRUE(admission.refusal);
  EXPECT_EQ(admission.refusal->status, 405);
  EXPECT_EQ(header(*admission.refusal, "Allow"), "PUT, GET");
  EXPECT_EQ(refusal(request("POST", "/")), 405);
  EXPECT_EQ(refusal(request("GET", "/v1/releases/2/other")), 404);
  EXPECT_EQ(refusal(request("GET", "/v1/nodes/a/b")), 404);
  EXPECT_EQ(refusal(request("GET", "/v1/releases//bundle")), 404);
}

TEST_F(ApiTest, OnlyTheUploadTakesALargeBody) {
  auto head = request("PUT", "/v1/releases");
  head.authorization = "Bearer the-operators-secret";
  EXPECT_EQ(api_->admit(head).max_body_bytes, std::uint64_t{1} << 30U);
  EXPECT_EQ(api_->admit(request("POST", "/v1/join")).max_body_bytes, 65536U);
  EXPECT_EQ(api_->admit(request("GET", "/v1/ca")).max_body_bytes, 0U);
}

TEST_F(ApiTest, ThePageIsServedFromInside) {
  const auto index = api_->handle(request("GET", "/"));
  EXPECT_EQ(index.status, 200);
  if (page_assets().empty()) {
    EXPECT_THAT(index.body, HasSubstr("built without its page"));
    return;
  }
  EXPECT_THAT(index.content_type, HasSubstr("text/html"));
  for (const Asset& asset : page_assets()) {
    auto ask = request("GET", "/" + std::string(asset.path));
    const auto response = api_->handle(ask);
    EXPECT_EQ(response.status, 200) << asset.path;
    EXPECT_EQ(response.body, asset.bytes);
    ask.if_none_match = header(response, "ETag");
    EXPECT_EQ(api_->handle(ask).status, 304);
  }
}

TEST_F(ApiTest, ATokenForAnExpiredTimeIsGone) {
  auto make = request("POST", "/v1/tokens");
  make.body = R"({"valid_seconds": 5})";
  EXPECT_EQ(api_->handle(make).status, 200);
  const auto made = trust::make_request("node-1");
  ASSERT_TRUE(made);
  ASSERT_TRUE(store_->add_token("t", "s", "", clock_.wall_now() + kSecond));
  clock_.advance(kSecond);
  auto join = request("POST", "/v1/join");
  join.body = Json{{"token_id", "t"}, {"secret", "s"}, {"name", "node-1"}, {"request", made->request_pem}}.dump();
  EXPECT_EQ(api_->handle(join).status, 410);
  join.body = Json{{"token_id", "t"}, {"secret", "s"}, {"name", "node-1"}, {"request", "no PEM"}}.dump();
  EXPECT_EQ(api_->handle(join).status, 400);
}

}  // namespace
}  // namespace moru::fleet
