// SPDX-License-Identifier: Apache-2.0
// What the tests of stages that speak HTTP share: a plain server that remembers what it was asked, and running a stream file.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/config.h"
#include "edge/streams/stream.h"
#include "wire/http_server/http_server.h"

namespace moru::edge::testing {

/// Threads: any.
class Receiver {
 public:
  using Answer = std::function<wire::server::HttpResponse(const wire::server::HttpRequest&)>;
  explicit Receiver(Answer answer, wire::server::HttpServerOptions options = plain()) : answer_(std::move(answer)) {
    wire::server::HttpHandlers handlers;
    handlers.admit = [](const wire::server::HttpRequest&) -> wire::server::HttpAdmission { return {1U << 24U, std::nullopt}; };
    handlers.handle = [this](const wire::server::HttpRequest& request) {
      auto response = answer_(request);
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      changed_.notify_all();
      return response;
    };
    auto server = wire::server::HttpServer::start(std::move(options), std::move(handlers));
    EXPECT_TRUE(server) << (server ? "" : server.error().message);
    server_ = std::move(*server);
  }
  std::string url(const std::string& path = "/in") const { return "http://127.0.0.1:" + std::to_string(server_->port()) + path; }
  int port() const { return server_->port(); }
  std::vector<wire::server::HttpRequest> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  void wait_for(std::size_t requests) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return requests_.size() >= requests; });
  }

 private:
  static wire::server::HttpServerOptions plain() {
    wire::server::HttpServerOptions options;
    options.plain = true;
    options.threads = 1;
    return options;
  }
  Answer answer_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<wire::server::HttpRequest> requests_;
  std::unique_ptr<wire::server::HttpServer> server_;  // last: its handler uses the others
};

inline wire::server::HttpResponse status(int code) {
  wire::server::HttpResponse response;
  response.status = code;
  response.body = "{}";
  return response;
}

/// The stream of a file's text, running.
inline std::unique_ptr<Stream> start_stream(const std::string& text, StageContext context = {},
                                            std::span<const StageSpec* const> table = all_stages()) {
  const auto document = ConfigObject::parse(text, "test.yaml");
  EXPECT_TRUE(document) << (document ? "" : document.error().message);
  const auto spec = read_stream(*document, table);
  EXPECT_TRUE(spec) << (spec ? "" : spec.error().message);
  if (!spec) return nullptr;
  auto stream = Stream::start(*spec, std::move(context));
  EXPECT_TRUE(stream) << (stream ? "" : stream.error().message);
  return stream ? std::move(*stream) : nullptr;
}

inline void run_to_end(const Stream& stream) {
  while (!stream.finished()) std::this_thread::yield();
}

}  // namespace moru::edge::testing
