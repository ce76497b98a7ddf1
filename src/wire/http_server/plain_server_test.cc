// SPDX-License-Identifier: Apache-2.0
// The server without TLS, and answers that come later, with the client of the house.
#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "wire/http.h"
#include "wire/http_server/http_server.h"

namespace moru::wire::server {
namespace {

using ::testing::HasSubstr;

class PlainServerTest : public ::testing::Test {
 protected:
  void start(HttpHandlers handlers, int threads = 1) {
    if (!handlers.admit) handlers.admit = [](const HttpRequest&) -> HttpAdmission { return {1000, std::nullopt}; };
    HttpServerOptions options;
    options.plain = true;
    options.threads = threads;
    options.request_timeout = 20 * kSecond;
    auto server = HttpServer::start(std::move(options), std::move(handlers));
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    client_options_.plain = true;
  }
  std::string url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(server_->port()) + path; }
  bool listens() const {
    boost::asio::io_context io;
    boost::asio::ip::tcp::socket socket(io);
    boost::system::error_code error;
    socket.connect({boost::asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(server_->port())}, error);
    return !error;
  }

  std::unique_ptr<HttpServer> server_;
  HttpClient client_;
  HttpOptions client_options_;
};

TEST_F(PlainServerTest, AnswersOverOneConnection) {
  start({.admit = {},
         .handle =
             [](const HttpRequest& request) {
               HttpResponse response;
               response.status = 429;
               response.body = request.content_type + " " + request.body;
               response.headers.emplace_back("Retry-After", "7");
               return response;
             },
         .handle_later = {}});
  client_options_.content_type = "application/x-ndjson";
  for (const char* body : {"one", "two"}) {
    const auto response = client_.post(url("/in"), body, client_options_);
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 429);
    EXPECT_EQ(response->body, std::string("application/x-ndjson ") + body);
    EXPECT_EQ(response->retry_after, 7 * kSecond);
  }
}

TEST_F(PlainServerTest, TheClientSpeaksPlainHttpOnlyWhenAskedTo) {
  start({.admit = {}, .handle = [](const HttpRequest&) { return HttpResponse{}; }, .handle_later = {}});
  client_options_.plain = false;
  const auto response = client_.get(url("/"), client_options_);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kInvalidArgument);
}

TEST_F(PlainServerTest, AnAnswerThatComesLaterHoldsNoThread) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<HttpAnswer> waiting;
  start({.admit = {}, .handle = {}, .handle_later = [&](const HttpRequest&, HttpAnswer answer) {
           const std::lock_guard lock(mutex);
           waiting.push_back(std::move(answer));
           changed.notify_all();
         }});
  // The server has one thread, and both requests are with the handler at the same time.
  std::vector<int> status(2);
  std::vector<std::jthread> clients;
  for (int& one : status) {
    clients.emplace_back([this, &one] {
      HttpClient client;
      const auto response = client.post(url("/in"), "{}", client_options_);
      one = response ? response->status : -1;
    });
  }
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting.size() == 2; });
    HttpResponse response;
    response.status = 202;
    waiting[0](response);
    waiting[0](http_error(500, "a second answer says nothing"));
  }
  waiting.clear();  // the other one dies unanswered
  clients.clear();
  std::ranges::sort(status);
  EXPECT_THAT(status, ::testing::ElementsAre(202, 503));
}

TEST_F(PlainServerTest, AnAnswerBeforeTheStopIsSent) {
  std::jthread stopper;
  const auto handle = [&](const HttpRequest&, const HttpAnswer& answer) {
    answer(HttpResponse{});
    stopper = std::jthread([this] { server_->stop(); });
    while (listens()) std::this_thread::yield();  // another thread of the server ends that
  };
  start({.admit = {}, .handle = {}, .handle_later = handle}, 2);
  const auto response = client_.post(url("/in"), "{}", client_options_);
  EXPECT_EQ(response ? response->status : 0, 200);
}

TEST_F(PlainServerTest, AnAnswerAfterTheEndIsHarmless) {
  std::mutex mutex;
  std::condition_variable changed;
  HttpAnswer late;
  start({.admit = {}, .handle = {}, .handle_later = [&](const HttpRequest&, HttpAnswer answer) {
           const std::lock_guard lock(mutex);
           late = std::move(answer);
           changed.notify_all();
         }});
  std::jthread client([this] {
    HttpClient own;
    const auto response = own.post(url("/in"), "{}", client_options_);
    EXPECT_EQ(response ? response->status : 0, 503);
  });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return late != nullptr; });
  }
  server_.reset();
  late(HttpResponse{});
}

TEST_F(PlainServerTest, AnAddressThatIsNoneIsSaid) {
  HttpServerOptions options;
  options.plain = true;
  options.address = "nowhere";
  const auto server = HttpServer::start(std::move(options), {});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(server.error().message, HasSubstr("'nowhere'"));
}

}  // namespace
}  // namespace moru::wire::server
