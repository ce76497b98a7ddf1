// SPDX-License-Identifier: Apache-2.0
// What the server keeps of its connections. Known to http_server.cc alone.
#pragma once

#include <fmt/format.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "core/log.h"
#include "wire/http_server/channel.h"
#include "wire/http_server/event_queue.h"
#include "wire/http_server/http_server.h"
#include "wire/http_server/security.h"

namespace moru::wire::server {

inline constexpr std::uint32_t kMaxHeadBytes = 16 * 1024;

/// One listener of events. The timer belongs to its connection's strand.
struct Listener {
  Listener(const boost::asio::any_io_executor& executor, const HttpServerOptions& options)
      : wake(executor), queue(options.max_events_behind, options.drop_oldest_events) {}
  boost::asio::steady_timer wake;
  EventQueue queue;
};

/// A request whose answer comes from elsewhere. Belongs to its connection's strand.
struct Pending {
  explicit Pending(const boost::asio::any_io_executor& executor) : wake(executor) {}
  boost::asio::steady_timer wake;
  std::optional<HttpResponse> response;
};

/// What answers that come late look at first: the server may have gone.
struct Gate {
  std::mutex mutex;
  bool open = true;
};

/// The one way to a Pending; gives the answer, or 503 when it dies without one.
class Answerer {
 public:
  Answerer(std::shared_ptr<Gate> gate, const std::shared_ptr<Pending>& pending) : gate_(std::move(gate)), pending_(pending) {}
  Answerer(const Answerer&) = delete;
  Answerer& operator=(const Answerer&) = delete;
  ~Answerer() { answer(http_error(503, "not taken; try again in a moment")); }
  void answer(HttpResponse response) {
    // Under the lock the server lives, and with it what the timer belongs to.
    const std::lock_guard lock(gate_->mutex);
    if (!gate_->open || std::exchange(answered_, true)) return;
    auto pending = pending_.lock();
    if (!pending) return;
    const auto executor = pending->wake.get_executor();
    boost::asio::post(executor, [pending = std::move(pending), response = std::move(response)]() mutable {
      pending->response = std::move(response);
      pending->wake.cancel();
    });
  }

 private:
  std::shared_ptr<Gate> gate_;
  std::weak_ptr<Pending> pending_;
  bool answered_ = false;
};

inline HttpResponse answer_now(const HttpHandlers& handlers, HttpRequest request) {
  try {
    return handlers.handle(std::move(request));
  } catch (const std::exception& error) {
    MORU_LOG(kError, "http handler threw", "what", error.what());
    return http_error(500, "internal error; see the log");
  }
}

/// A handler that throws lets go of the answer: 503.
inline void begin_answer(const HttpHandlers& handlers, HttpRequest request, HttpAnswer answer) {
  try {
    handlers.handle_later(std::move(request), std::move(answer));
  } catch (const std::exception& error) {
    MORU_LOG(kError, "http handler threw", "what", error.what());
  }
}

struct Connection {
  Channel* channel;
  bool idle = true;  // waits for a request, or streams events: may be cut off at a stop
};

/// A head that is wrong gets an answer; a connection that just ended does not.
inline std::optional<HttpResponse> refusal_of(const boost::system::error_code& error) {
  namespace http = boost::beast::http;
  if (error == http::error::header_limit) {
    return http_error(431, fmt::format("the head of the request is longer than {} bytes", kMaxHeadBytes));
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  const bool parsing = error.category() == http::make_error_code(http::error::bad_method).category();
  return parsing ? std::optional(http_error(400, "the request is not HTTP/1.1")) : std::nullopt;
}

inline Status set_up_tls(boost::asio::ssl::context& tls, const HttpServerOptions& options) {
  namespace asio = boost::asio;
  boost::system::error_code error;
  const auto bad = [&](const char* what) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("https: {}: {}, expected PEM that fits", what, error.message()));
  };
  tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
  tls.use_certificate_chain(asio::buffer(options.certificate_pem), error);
  if (error) return bad("certificate");
  tls.use_private_key(asio::buffer(options.key_pem), asio::ssl::context::pem, error);
  if (error) return bad("key");
  if (options.client_ca_pem.empty()) return {};
  tls.add_certificate_authority(asio::buffer(options.client_ca_pem), error);
  if (error) return bad("CA");
  tls.set_verify_mode(asio::ssl::verify_peer, error);
  allow_resumption(tls.native_handle());
  return {};
}

}  // namespace moru::wire::server
