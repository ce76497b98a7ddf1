// SPDX-License-Identifier: Apache-2.0
#include "wire/http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "core/digest.h"
#include "core/process.h"
#include "core/random.h"
#include "trust/certificates.h"
#include "wire/testing/tls_server.h"

namespace moru::wire {
namespace {

using ::testing::HasSubstr;
using testing::TestRequest;
using testing::TestResponse;
using testing::TlsServer;

class HttpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto ca = trust::CertificateAuthority::load_or_create(folder_.path() / "ca");
    auto other = trust::CertificateAuthority::load_or_create(folder_.path() / "other");
    ASSERT_TRUE(ca && other);
    ca_.emplace(std::move(*ca));
    auto request = trust::make_request("node-1");
    ASSERT_TRUE(write_file_atomic(path("node.pem"), *ca_->issue_client(request->request_pem, "node-1")));
    ASSERT_TRUE(write_file_atomic(path("node-key.pem"), request->key_pem, 0600));
    options_.ca_file = path("ca/ca.pem");
    options_.timeout = 10 * kSecond;
  }
  Path path(const char* name) const { return folder_.path() / name; }
  std::unique_ptr<TlsServer> serve(TlsServer::Handler handler, const std::vector<std::string>& names = {"127.0.0.1"}) {
    const auto pair = ca_->issue_server("hub", names);
    auto server = TlsServer::start(
        {.certificate_pem = pair->certificate_pem, .key_pem = pair->key_pem, .client_ca_pem = ca_->certificate_pem()}, std::move(handler));
    EXPECT_TRUE(server) << server.error().message;
    return std::move(*server);
  }

  TempFolder folder_ = std::move(*TempFolder::create("moru-http"));
  std::optional<trust::CertificateAuthority> ca_;
  HttpOptions options_;
};

TestResponse echo(const TestRequest& request) {
  const auto authorization = request.headers.find("authorization");
  return {.status = 200,
          .body = request.method + " " + request.path + " " + request.body + " " + request.client_name + " " +
                  (authorization == request.headers.end() ? "" : authorization->second),
          .content_range = {}};
}

TEST_F(HttpTest, GetPostAndPutArriveWhole) {
  const auto server = serve(echo);
  EXPECT_EQ(http_get(server->url("/v1/x"), options_)->body, "GET /v1/x   ");
  options_.bearer = "s3cret";
  EXPECT_EQ(http_post(server->url("/v1/y"), R"({"a":1})", options_)->body, R"(POST /v1/y {"a":1}  Bearer s3cret)");
  EXPECT_EQ(http_post(server->url("/v1/y"), "", options_)->body, "POST /v1/y   Bearer s3cret");
  const std::string big(3'000'000, 'b');
  const auto put = http_put(server->url("/v1/z"), big, options_);
  ASSERT_TRUE(put) << put.error().message;
  EXPECT_EQ(put->body, "PUT /v1/z " + big + "  Bearer s3cret");
}

TEST_F(HttpTest, ShowsTheClientCertificate) {
  const auto server = serve(echo);
  options_.certificate_file = path("node.pem");
  options_.key_file = path("node-key.pem");
  EXPECT_EQ(http_get(server->url("/"), options_)->body, "GET /  node-1 ");
}

TEST_F(HttpTest, AServerOfAnotherCaOrNameIsNotTrusted) {
  const auto server = serve(echo);
  options_.ca_file = path("other/ca.pem");
  const auto other_ca = http_get(server->url("/"), options_);
  ASSERT_FALSE(other_ca);
  EXPECT_EQ(other_ca.error().code, ErrorCode::kCorrupt) << other_ca.error().message;
  options_.insecure = true;
  EXPECT_TRUE(http_get(server->url("/"), options_));

  const auto misnamed = serve(echo, {"hub.example"});
  options_.insecure = false;
  options_.ca_file = path("ca/ca.pem");
  const auto wrong_name = http_get(misnamed->url("/"), options_);
  ASSERT_FALSE(wrong_name);
  EXPECT_EQ(wrong_name.error().code, ErrorCode::kCorrupt) << wrong_name.error().message;
}

TEST_F(HttpTest, SaysWhatIsWrongWithFilesAndAddresses) {
  const auto server = serve(echo);
  HttpOptions no_ca;
  EXPECT_EQ(http_get(server->url("/"), no_ca).error().code, ErrorCode::kInvalidArgument);
  HttpOptions missing_ca = options_;
  missing_ca.ca_file = path("none.pem");
  const auto missing = http_get(server->url("/"), missing_ca);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("none.pem"));
  HttpOptions bad_key = options_;
  bad_key.certificate_file = path("node.pem");
  bad_key.key_file = path("ca/ca-key.pem");
  EXPECT_EQ(http_get(server->url("/"), bad_key).error().code, ErrorCode::kInvalidArgument);
  for (const char* url : {"", "http://127.0.0.1/", "file:///etc/passwd", "https://"}) {
    EXPECT_EQ(http_get(url, options_).error().code, ErrorCode::kInvalidArgument) << url;
  }
}

TEST_F(HttpTest, NobodyThereIsUnavailable) {
  const auto port = free_port();
  ASSERT_TRUE(port);
  const auto result = http_get("https://127.0.0.1:" + std::to_string(*port) + "/", options_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(result.error().message, HasSubstr("is a server running"));
}

TEST_F(HttpTest, ASilentServerRunsIntoTheDeadlineAndCanBeCancelled) {
  const auto server = serve(
      [](const TestRequest&) { return TestResponse{.status = 200, .body = {}, .content_range = {}, .break_after = {}, .hang = true}; });
  options_.timeout = 200 * kMillisecond;
  EXPECT_EQ(http_get(server->url("/"), options_).error().code, ErrorCode::kDeadlineExceeded);
  const auto second = serve(
      [](const TestRequest&) { return TestResponse{.status = 200, .body = {}, .content_range = {}, .break_after = {}, .hang = true}; });
  options_.timeout = 60 * kSecond;
  options_.cancelled = [] { return true; };
  EXPECT_EQ(http_get(second->url("/"), options_).error().code, ErrorCode::kCancelled);
}

TEST_F(HttpTest, AResponseBeyondTheLimitIsRefused) {
  const auto server =
      serve([](const TestRequest&) { return TestResponse{.status = 200, .body = std::string(100'000, 'x'), .content_range = {}}; });
  options_.max_response_bytes = 1000;
  EXPECT_EQ(http_get(server->url("/"), options_).error().code, ErrorCode::kResourceExhausted);
}

TEST_F(HttpTest, ErrorsCarryTheHubsSentence) {
  const auto server = serve([](const TestRequest& request) {
    const int status = std::stoi(request.path.substr(1));
    return TestResponse{.status = status, .body = R"({"error": "the token has\nexpired"})", .content_range = {}};
  });
  const auto code = [&](int status) { return expect_success(http_get(server->url("/" + std::to_string(status)), options_), "join"); };
  EXPECT_TRUE(code(200));
  EXPECT_EQ(code(410).error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(code(410).error().message, HasSubstr("join: the hub answered 410: the token has expired"));
  EXPECT_EQ(code(404).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(code(409).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(code(503).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(code(500).error().code, ErrorCode::kInternal);
}

std::string random_bytes(std::size_t size) {
  Rng rng(3);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(rng.below(256));
  return bytes;
}

TEST_F(HttpTest, ADownloadGoesOnWhereItBroke) {
  const std::string bytes = random_bytes(500'000);
  std::atomic<int> calls{0};
  std::atomic<std::size_t> sent{0};
  const auto server = serve([&](const TestRequest& request) {
    TestResponse response = testing::serve_bytes(request, bytes);
    if (++calls < 4) response.break_after = 100'000;
    sent += response.break_after.value_or(response.body.size());
    return response;
  });
  Status status;
  for (int attempt = 0; attempt < 4; ++attempt) {
    EXPECT_FALSE(std::filesystem::exists(path("bundle")));
    status = http_download(server->url("/b"), path("bundle"), bytes.size(), options_);
    if (attempt < 3) {
      ASSERT_FALSE(status);
      EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
    }
  }
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(sha256_hex(*read_file(path("bundle"))), sha256_hex(bytes));
  EXPECT_EQ(sent, bytes.size()) << "no byte is fetched twice";
  EXPECT_FALSE(std::filesystem::exists(path("bundle.part")));
}

TEST_F(HttpTest, ADownloadBeginsAnewWhereRangesAreNotKnown) {
  const std::string bytes = random_bytes(50'000);
  const auto server = serve([&](const TestRequest&) { return TestResponse{.status = 200, .body = bytes, .content_range = {}}; });
  ASSERT_TRUE(write_file_atomic(path("bundle.part"), "stale bytes of something else"));
  ASSERT_TRUE(http_download(server->url("/b"), path("bundle"), bytes.size(), options_));
  EXPECT_EQ(*read_file(path("bundle")), bytes);
}

TEST_F(HttpTest, ADownloadOfTheWrongSizeIsRefused) {
  const std::string bytes = random_bytes(50'000);
  const auto server = serve([&](const TestRequest& request) { return testing::serve_bytes(request, bytes); });
  EXPECT_EQ(http_download(server->url("/b"), path("long"), bytes.size() - 1, options_).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(http_download(server->url("/b"), path("short"), bytes.size() + 1, options_).error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(path("long")));
  EXPECT_FALSE(std::filesystem::exists(path("short")));
}

TEST_F(HttpTest, ARefusedDownloadCarriesTheHubsSentence) {
  const auto server =
      serve([&](const TestRequest&) { return TestResponse{.status = 404, .body = R"({"error":"no release 9"})", .content_range = {}}; });
  const auto status = http_download(server->url("/b"), path("bundle"), 10, options_);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(status.error().message, HasSubstr("no release 9"));
}

}  // namespace
}  // namespace moru::wire
