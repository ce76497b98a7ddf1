// SPDX-License-Identifier: Apache-2.0
// The server over real sockets, with a client that can send what a well-meaning library does not.
#include "wire/http_server/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "trust/certificates.h"

namespace moru::wire::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// A TLS connection that trusts anybody and reads with a time limit.
class RawClient {
 public:
  explicit RawClient(int port, const trust::KeyAndCertificate* identity = nullptr) : context_(SSL_CTX_new(TLS_client_method())) {
    if (identity != nullptr) {
      BIO* text = BIO_new_mem_buf(identity->certificate_pem.data(), static_cast<int>(identity->certificate_pem.size()));
      X509* certificate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
      BIO_free(text);
      text = BIO_new_mem_buf(identity->key_pem.data(), static_cast<int>(identity->key_pem.size()));
      EVP_PKEY* key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
      BIO_free(text);
      EXPECT_EQ(SSL_CTX_use_certificate(context_, certificate), 1);
      EXPECT_EQ(SSL_CTX_use_PrivateKey(context_, key), 1);
      X509_free(certificate);
      EVP_PKEY_free(key);
    }
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    const timeval limit{20, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ssl_ = SSL_new(context_);
    SSL_set_fd(ssl_, fd_);
    open_ = SSL_connect(ssl_) == 1;
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
    ::close(fd_);
  }
  void send(const std::string& text) {
    EXPECT_EQ(SSL_write(ssl_, text.data(), static_cast<int>(text.size())), static_cast<int>(text.size()));
  }
  /// Everything until `mark` has come, or the connection ends.
  std::string read_until(const std::string& mark) {
    std::string text;
    char byte = 0;
    while (text.find(mark) == std::string::npos && SSL_read(ssl_, &byte, 1) == 1) text.push_back(byte);
    return text;
  }
  std::string read_all() { return read_until(std::string("\0never\0", 7)); }
  bool open() const { return open_; }

 private:
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
  int fd_ = -1;
  bool open_ = false;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto folder = TempFolder::create("moru-http");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    auto authority = trust::CertificateAuthority::load_or_create(folder_->path() / "ca");
    ASSERT_TRUE(authority);
    authority_.emplace(std::move(*authority));
    HttpServerOptions options = make_options();
    HttpHandlers handlers{.admit = [](const HttpRequest& head) -> HttpAdmission {
                            if (head.path == "/refused") return {0, http_error(403, "not you")};
                            return {1000, std::nullopt};
                          },
                          .handle = [this](const HttpRequest& request) { return answer(request); },
                          .handle_later = {}};
    auto server = HttpServer::start(std::move(options), std::move(handlers));
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    ASSERT_TRUE(write_file_atomic(folder_->path() / "file", std::string(600'000, 'f') + "end"));
  }
  HttpServerOptions make_options() {
    HttpServerOptions options;
    const auto identity = authority_->issue_server("hub", {"127.0.0.1"});
    EXPECT_TRUE(identity);
    options.certificate_pem = identity->certificate_pem;
    options.key_pem = identity->key_pem;
    options.client_ca_pem = authority_->certificate_pem();
    return options;
  }
  HttpResponse answer(const HttpRequest& request) {
    HttpResponse response;
    response.content_type = "text/plain";
    response.body = request.method + " " + request.path + " peer=" + request.peer + " body=" + request.body;
    if (request.path == "/events") response.events = true;
    if (request.path == "/file") response.file = HttpFile{folder_->path() / "file", 599'999, 4};
    if (request.path == "/whole") response.file = HttpFile{folder_->path() / "file", 0, 600'003};
    if (request.path == "/gone") response.file = HttpFile{folder_->path() / "no-such-file", 0, 10};
    return response;
  }
  std::string ask(const std::string& request) {
    RawClient client(server_->port());
    client.send(request);
    return client.read_all();
  }

  std::optional<TempFolder> folder_;
  std::optional<trust::CertificateAuthority> authority_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersWithSecurityHeaders) {
  const auto text = ask("GET /a%20b?x=1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(text, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(text, HasSubstr("GET /a b peer= body="));
  EXPECT_THAT(text, HasSubstr("Content-Security-Policy: default-src 'none'"));
  EXPECT_THAT(text, HasSubstr("X-Content-Type-Options: nosniff"));
  EXPECT_THAT(text, HasSubstr("Cache-Control: no-store"));
}

TEST_F(HttpServerTest, KeepsAConnectionForTheNextRequest) {
  RawClient client(server_->port());
  client.send("POST /one HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /two HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.read_until("body=abc"), HasSubstr("POST /one"));
  EXPECT_THAT(client.read_until("body="), HasSubstr("GET /two"));
  client.send("PUT /three HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nxyz\r\n0\r\n\r\n");
  EXPECT_THAT(client.read_until("body=xyz"), HasSubstr("PUT /three"));
}

TEST_F(HttpServerTest, RefusesBodiesThatAreTooLarge) {
  EXPECT_THAT(ask("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n"), StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(ask("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n"), StartsWith("HTTP/1.1 413"));
  std::string chunks;
  for (int i = 0; i < 20; ++i) chunks += "64\r\n" + std::string(100, 'x') + "\r\n";
  EXPECT_THAT(ask("POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks), StartsWith("HTTP/1.1 413"));
}

TEST_F(HttpServerTest, RefusesHeadsThatAreTooLong) {
  EXPECT_THAT(ask("GET /a HTTP/1.1\r\nHost: h\r\nX: " + std::string(20'000, 'x')), StartsWith("HTTP/1.1 431"));
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
  EXPECT_THAT(ask("hello there\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("GET /../etc/passwd HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("GET /%2e%2e/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  EXPECT_THAT(ask("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n"), StartsWith("HTTP/1.1 400"));
}

TEST_F(HttpServerTest, ARefusalDoesNotReadTheBodyAsTheNextRequest) {
  const auto text = ask("POST /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n");
  EXPECT_THAT(text, StartsWith("HTTP/1.1 403"));
  EXPECT_EQ(text.find("smuggled"), std::string::npos);
}

TEST_F(HttpServerTest, AClientThatSendsOnStillGetsTheRefusal) {
  RawClient client(server_->port());
  client.send("POST /refused HTTP/1.1\r\nHost: h\r\nContent-Length: 8000000\r\n\r\n");
  for (int i = 0; i < 80; ++i) client.send(std::string(100'000, 'x'));
  EXPECT_THAT(client.read_until("not you"), StartsWith("HTTP/1.1 403"));
}

TEST_F(HttpServerTest, HeadHasNoBody) {
  const auto text = ask("HEAD /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(text, HasSubstr("Content-Length: 18"));
  EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, SendsPiecesOfFiles) {
  EXPECT_TRUE(ask("GET /file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").ends_with("\r\n\r\nfend"));
  const auto whole = ask("GET /whole HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(whole.size() - whole.find("\r\n\r\n") - 4, 600'003U);
  EXPECT_TRUE(whole.ends_with("fend"));
  // A file that is gone: the promised bytes do not come and the connection ends.
  EXPECT_TRUE(ask("GET /gone HTTP/1.1\r\nHost: h\r\n\r\n").ends_with("\r\n\r\n"));
}

TEST_F(HttpServerTest, KnowsThePeerByItsCertificate) {
  const auto made = trust::make_request("ignored");
  const auto certificate = authority_->issue_client(made->request_pem, "node-1");
  ASSERT_TRUE(certificate);
  const trust::KeyAndCertificate identity{made->key_pem, *certificate};
  RawClient client(server_->port(), &identity);
  client.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_THAT(client.read_until("body="), HasSubstr("peer=node-1 "));
}

TEST_F(HttpServerTest, RefusesACertificateOfAnotherAuthority) {
  const auto other = trust::CertificateAuthority::load_or_create(folder_->path() / "other");
  ASSERT_TRUE(other);
  const auto made = trust::make_request("node-1");
  const auto certificate = other->issue_client(made->request_pem, "node-1");
  ASSERT_TRUE(certificate);
  const trust::KeyAndCertificate identity{made->key_pem, *certificate};
  RawClient client(server_->port(), &identity);
  // TLS 1.3 lets the client finish first; the refusal comes with the first read.
  EXPECT_TRUE(!client.open() || client.read_all().empty());
}

TEST_F(HttpServerTest, SendsEventsToEveryListener) {
  RawClient one(server_->port());
  RawClient two(server_->port());
  for (RawClient* client : {&one, &two}) {
    client->send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
    EXPECT_THAT(client->read_until(": welcome\n\n"), HasSubstr("text/event-stream"));
  }
  server_->broadcast("alert", R"({"item":7})");
  EXPECT_THAT(one.read_until("\n\n"), HasSubstr("event: alert\ndata: {\"item\":7}"));
  EXPECT_THAT(two.read_until("\n\n"), HasSubstr("event: alert\ndata: {\"item\":7}"));
}

TEST_F(HttpServerTest, StopEndsListenersAndIdleConnectionsAtOnce) {
  RawClient listener(server_->port());
  listener.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
  listener.read_until(": welcome\n\n");
  RawClient idle(server_->port());
  idle.send("GET /a HTTP/1.1\r\nHost: h\r\n\r\n");
  idle.read_until("body=");
  const TimeNs before = system_clock().steady_now();
  server_->stop();
  EXPECT_LT(system_clock().steady_now() - before, 4 * kSecond);
  EXPECT_EQ(listener.read_all(), "");
  EXPECT_EQ(idle.read_all(), "");
}

TEST_F(HttpServerTest, APortInUseIsNamed) {
  HttpServerOptions options = make_options();
  options.port = server_->port();
  const auto second = HttpServer::start(std::move(options), {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(second.error().message, HasSubstr(std::to_string(server_->port()) + " on 127.0.0.1 is in use"));
}

TEST_F(HttpServerTest, BadCertificatesAreSaid) {
  HttpServerOptions options = make_options();
  options.key_pem = "no key";
  const auto server = HttpServer::start(std::move(options), {});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace moru::wire::server
