// SPDX-License-Identifier: Apache-2.0
// The one file that knows Boost.Beast and Asio.
#include "fleet/hub/http/http_server.h"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "core/log.h"
#include "fleet/hub/http/file_reader.h"
#include "fleet/hub/http/request_head.h"
#include "fleet/hub/http/security.h"

namespace moru::fleet {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;
using Buffer = beast::flat_buffer;
using HeadParser = http::request_parser<http::empty_body>;
using ErrorInfo = boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::uint32_t kMaxHeadBytes = 16 * 1024;
constexpr std::size_t kMaxThrownAway = std::size_t{64} << 20U;
constexpr auto kLinger = std::chrono::seconds(2);
constexpr std::size_t kMaxEventsBehind = 1000;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr auto kKeepAlive = std::chrono::seconds(15);
constexpr auto kStopGrace = std::chrono::seconds(5);

std::chrono::nanoseconds nanoseconds(TimeNs time) { return std::chrono::nanoseconds(time); }

/// One listener of events. Used on its connection's strand only.
struct Listener {
  explicit Listener(const asio::any_io_executor& executor) : wake(executor) {}
  asio::steady_timer wake;
  std::deque<std::string> waiting;
  bool too_slow = false;
};

struct Connection {
  TlsStream* stream;
  bool idle = true;  // waits for a request, or streams events: may be cut off at a stop
};

/// A head that is wrong gets an answer; a connection that just ended does not.
std::optional<HttpResponse> refusal_of(const ErrorInfo& error) {
  if (error == http::error::header_limit) {
    return http_error(431, fmt::format("the head of the request is longer than {} bytes", kMaxHeadBytes));
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  const bool parsing = error.category() == http::make_error_code(http::error::bad_method).category();
  return parsing ? std::optional(http_error(400, "the request is not HTTP/1.1")) : std::nullopt;
}

}  // namespace

struct HttpServer::Core {
  HttpServerOptions options;
  HttpHandlers handlers;
  asio::ssl::context tls{asio::ssl::context::tls_server};
  int port = 0;
  std::atomic<bool> stopping = false;
  std::mutex mutex;
  std::condition_variable empty;
  std::set<std::shared_ptr<Connection>> connections;
  std::set<std::shared_ptr<Listener>> listeners;
  std::vector<std::thread> threads;
  // Last, so that it goes first: connections that end with it use what stands above.
  asio::io_context io;
  tcp::acceptor acceptor{io};

  Status set_up_tls();
  Status bind();
  asio::awaitable<void> accept();
  asio::awaitable<void> serve(tcp::socket socket);
  asio::awaitable<void> serve_requests(TlsStream& stream, Connection& connection);
  asio::awaitable<bool> serve_request(TlsStream& stream, Connection& connection, Buffer& buffer, const std::string& peer);
  HttpAdmission admit(const HttpRequest& request, const HeadParser& head) const;
  asio::awaitable<bool> refuse(TlsStream& stream, const HeadParser& head, const HttpResponse& refusal);
  asio::awaitable<std::optional<std::string>> read_body(TlsStream& stream, Buffer& buffer, HeadParser& head, std::uint64_t max_bytes);
  asio::awaitable<bool> answer(TlsStream& stream, const HttpResponse& response, bool head_only, bool keep_alive);
  asio::awaitable<bool> send_file(TlsStream& stream, const HttpFile& file) const;
  static asio::awaitable<void> throw_away_rest(TlsStream& stream);
  asio::awaitable<void> send_events(TlsStream& stream);
  HttpResponse call(HttpRequest request) const;
};

Status HttpServer::Core::set_up_tls() {
  ErrorInfo error;
  const auto bad = [&](const char* what) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("https: {}: {}, expected PEM that fits", what, error.message()));
  };
  tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
  tls.use_certificate_chain(asio::buffer(options.certificate_pem), error);
  if (error) return bad("certificate");
  tls.use_private_key(asio::buffer(options.key_pem), asio::ssl::context::pem, error);
  if (error) return bad("key");
  tls.add_certificate_authority(asio::buffer(options.client_ca_pem), error);
  if (error) return bad("CA");
  tls.set_verify_mode(asio::ssl::verify_peer, error);
  allow_resumption(tls.native_handle());
  return {};
}

Status HttpServer::Core::bind() {
  ErrorInfo error;
  const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(options.port));
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == boost::system::errc::address_in_use) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("https: port {} on 127.0.0.1 is in use, expected a free one; stop the other program or give another --port",
                            options.port));
  }
  if (error) return fail(ErrorCode::kIo, fmt::format("https: listen on 127.0.0.1:{}: {}", options.port, error.message()));
  port = acceptor.local_endpoint(error).port();
  return {};
}

asio::awaitable<void> HttpServer::Core::accept() {
  while (!stopping) {
    auto [error, socket] = co_await acceptor.async_accept(asio::make_strand(io), kAwait);
    if (stopping) co_return;
    if (error) {
      // Out of file descriptors, say: wait a moment instead of spinning.
      asio::steady_timer pause(io, std::chrono::milliseconds(50));
      co_await pause.async_wait(kAwait);
      continue;
    }
    const auto executor = socket.get_executor();
    asio::co_spawn(executor, serve(std::move(socket)), asio::detached);
  }
}

asio::awaitable<void> HttpServer::Core::serve(tcp::socket socket) {
  ErrorInfo ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  TlsStream stream(std::move(socket), tls);
  const auto connection = std::make_shared<Connection>(&stream);
  {
    const std::lock_guard lock(mutex);
    if (stopping || connections.size() >= options.max_connections) co_return;
    connections.insert(connection);
  }
  beast::get_lowest_layer(stream).expires_after(nanoseconds(options.idle_timeout));
  const auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::server, kAwait);
  if (!error) {
    co_await serve_requests(stream, *connection);
    beast::get_lowest_layer(stream).expires_after(std::chrono::seconds(1));
    [[maybe_unused]] const auto [closed] = co_await stream.async_shutdown(kAwait);  // the other side often just goes
  }
  const std::lock_guard lock(mutex);
  connections.erase(connection);
  empty.notify_all();
}

HttpResponse HttpServer::Core::call(HttpRequest request) const {
  try {
    return handlers.handle(std::move(request));
  } catch (const std::exception& error) {
    MORU_LOG(kError, "http handler threw", "what", error.what());
    return http_error(500, "internal error; see the hub's log");
  }
}

asio::awaitable<void> HttpServer::Core::serve_requests(TlsStream& stream, Connection& connection) {
  const std::string peer = common_name_of_peer(stream.native_handle());
  Buffer buffer;
  bool keep_alive = true;
  while (keep_alive && !stopping) keep_alive = co_await serve_request(stream, connection, buffer, peer);
}

/// One request, from its head to the end of its answer. False: the connection is of no more use.
asio::awaitable<bool> HttpServer::Core::serve_request(TlsStream& stream, Connection& connection, Buffer& buffer, const std::string& peer) {
  connection.idle = true;
  beast::get_lowest_layer(stream).expires_after(nanoseconds(options.idle_timeout));
  HeadParser head;
  head.header_limit(kMaxHeadBytes);
  head.body_limit(boost::none);
  [[maybe_unused]] const auto [read_error, head_bytes] = co_await http::async_read_header(stream, buffer, head, kAwait);
  connection.idle = false;
  if (read_error) {
    if (const auto refusal = refusal_of(read_error)) co_await answer(stream, *refusal, false, false);
    co_return false;
  }
  const bool head_only = head.get().method() == http::verb::head;
  const bool keep_alive = head.get().keep_alive();
  auto request = read_head(peer, head.get().method_string(), head.get().target(), [&](const char* name) { return head.get()[name]; });
  if (!request) co_return co_await answer(stream, http_error(400, request.error().message), head_only, false);
  const HttpAdmission admission = admit(*request, head);
  if (admission.refusal) co_return co_await refuse(stream, head, *admission.refusal);
  auto body = co_await read_body(stream, buffer, head, admission.max_body_bytes);
  if (!body) co_return false;
  request->body = std::move(*body);
  const HttpResponse response = call(std::move(*request));
  if (response.events) {
    connection.idle = true;
    co_await send_events(stream);
    co_return false;
  }
  co_return co_await answer(stream, response, head_only, keep_alive && !stopping);
}

/// The handlers' answer to the head, which also says how long the body may be.
HttpAdmission HttpServer::Core::admit(const HttpRequest& request, const HeadParser& head) const {
  HttpAdmission admission = handlers.admit(request);
  if (!admission.refusal && head.content_length() && *head.content_length() > admission.max_body_bytes) {
    admission.refusal =
        http_error(413, fmt::format("the body has {} bytes, expected at most {}", *head.content_length(), admission.max_body_bytes));
  }
  return admission;
}

/// Answers before the body is read. True: the connection can take another request.
asio::awaitable<bool> HttpServer::Core::refuse(TlsStream& stream, const HeadParser& head, const HttpResponse& refusal) {
  // What is left of the body would be taken for the next request: keep the connection only when there is none.
  const bool keep_alive = head.get().keep_alive() && head.is_done();
  if (co_await answer(stream, refusal, head.get().method() == http::verb::head, keep_alive)) co_return true;
  if (!head.is_done()) co_await throw_away_rest(stream);
  co_return false;
}

/// The body of a request whose head was admitted. Nothing: the client has gone, or was told why the connection ends.
asio::awaitable<std::optional<std::string>> HttpServer::Core::read_body(TlsStream& stream, Buffer& buffer, HeadParser& head,
                                                                        std::uint64_t max_bytes) {
  const bool head_only = head.get().method() == http::verb::head;
  if (beast::iequals(head.get()[http::field::expect], "100-continue")) {
    [[maybe_unused]] const auto [sent_error, sent] = co_await asio::async_write(stream, asio::buffer(kContinue), kAwait);
    if (sent_error) co_return std::nullopt;
  }
  http::request_parser<http::string_body> whole(std::move(head));
  whole.body_limit(max_bytes);
  beast::get_lowest_layer(stream).expires_after(nanoseconds(options.request_timeout));
  [[maybe_unused]] const auto [error, bytes] = co_await http::async_read(stream, buffer, whole, kAwait);
  if (error == http::error::body_limit) {
    co_await answer(stream, http_error(413, fmt::format("the body has more than {} bytes", max_bytes)), head_only, false);
    co_await throw_away_rest(stream);
    co_return std::nullopt;
  }
  if (error) co_return std::nullopt;
  co_return std::move(whole.get().body());
}

asio::awaitable<bool> HttpServer::Core::answer(TlsStream& stream, const HttpResponse& response, bool head_only, bool keep_alive) {
  beast::get_lowest_layer(stream).expires_after(nanoseconds(options.request_timeout));
  http::response<http::string_body> message;
  message.version(11);
  message.result(static_cast<unsigned>(response.status));
  message.set(http::field::content_type, response.content_type);
  for (const auto& [name, value] : security_headers()) message.set(name, value);
  message.set(http::field::cache_control, "no-store");
  for (const auto& [name, value] : response.headers) message.set(name, value);
  const bool empty_by_rule = response.status == 304 || response.status == 204;
  if (!empty_by_rule) message.content_length(response.file ? response.file->length : response.body.size());
  message.keep_alive(keep_alive);
  if (!response.file && !head_only && !empty_by_rule) message.body() = response.body;
  http::response_serializer<http::string_body> serializer(message);
  if (response.file || head_only) {
    [[maybe_unused]] const auto [error, bytes] = co_await http::async_write_header(stream, serializer, kAwait);
    if (error) co_return false;
    if (head_only) co_return keep_alive;
    co_return co_await send_file(stream, *response.file) && keep_alive;
  }
  [[maybe_unused]] const auto [error, bytes] = co_await http::async_write(stream, serializer, kAwait);
  co_return !error && keep_alive;
}

asio::awaitable<bool> HttpServer::Core::send_file(TlsStream& stream, const HttpFile& file) const {
  FileReader reader(file);
  while (!reader.done()) {
    const auto piece = reader.next();
    if (piece.empty()) co_return false;  // shorter than promised: the cut connection tells the client
    beast::get_lowest_layer(stream).expires_after(nanoseconds(options.request_timeout));
    [[maybe_unused]] const auto [error, bytes] = co_await asio::async_write(stream, asio::buffer(piece.data(), piece.size()), kAwait);
    if (error) co_return false;
  }
  co_return true;
}

/// Reads on for a moment before the connection is closed: a client that is still sending would lose the answer to a
/// reset (RFC 9112, section 9.6).
asio::awaitable<void> HttpServer::Core::throw_away_rest(TlsStream& stream) {
  std::vector<char> buffer(64 * 1024);
  beast::get_lowest_layer(stream).expires_after(kLinger);
  for (std::size_t total = 0; total < kMaxThrownAway;) {
    const auto [error, bytes] = co_await stream.async_read_some(asio::buffer(buffer), kAwait);
    if (error) co_return;
    total += bytes;
  }
}

asio::awaitable<void> HttpServer::Core::send_events(TlsStream& stream) {
  const auto listener = std::make_shared<Listener>(stream.get_executor());
  {
    const std::lock_guard lock(mutex);
    listeners.insert(listener);
  }
  std::string text =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
      "Connection: close\r\n\r\n: welcome\n\n";
  while (true) {
    beast::get_lowest_layer(stream).expires_after(nanoseconds(options.request_timeout));
    [[maybe_unused]] const auto [error, bytes] = co_await asio::async_write(stream, asio::buffer(text), kAwait);
    if (error || stopping || listener->too_slow) break;
    beast::get_lowest_layer(stream).expires_never();
    if (listener->waiting.empty()) {
      listener->wake.expires_after(kKeepAlive);
      [[maybe_unused]] const auto [woken] = co_await listener->wake.async_wait(kAwait);
    }
    if (stopping) break;
    text.clear();
    for (const std::string& event : listener->waiting) text += event;
    listener->waiting.clear();
    if (text.empty()) text = ": still here\n\n";
  }
  const std::lock_guard lock(mutex);
  listeners.erase(listener);
}

HttpServer::HttpServer(std::unique_ptr<Core> core) : core_(std::move(core)) {}
HttpServer::~HttpServer() { stop(); }

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpServerOptions options, HttpHandlers handlers) {
  auto core = std::make_unique<Core>();
  core->options = std::move(options);
  core->handlers = std::move(handlers);
  MORU_RETURN_IF_ERROR(core->set_up_tls());
  MORU_RETURN_IF_ERROR(core->bind());
  asio::co_spawn(core->io, core->accept(), asio::detached);
  for (int i = 0; i < core->options.threads; ++i) core->threads.emplace_back([io = &core->io] { io->run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

int HttpServer::port() const { return core_->port; }

void HttpServer::broadcast(std::string_view event, std::string_view data) {
  // JSON on one line holds no line break, which would end the data field.
  const std::string text = fmt::format("event: {}\ndata: {}\n\n", event, data);
  const std::lock_guard lock(core_->mutex);
  for (const auto& listener : core_->listeners) {
    asio::post(listener->wake.get_executor(), [listener, text] {
      listener->too_slow = listener->too_slow || listener->waiting.size() >= kMaxEventsBehind;
      if (!listener->too_slow) listener->waiting.push_back(text);
      listener->wake.cancel();
    });
  }
}

void HttpServer::stop() {
  if (core_->stopping.exchange(true)) return;
  asio::post(core_->io, [core = core_.get()] {
    ErrorInfo ignored;
    core->acceptor.close(ignored);
  });
  {
    std::unique_lock lock(core_->mutex);
    for (const auto& listener : core_->listeners) {
      asio::post(listener->wake.get_executor(), [listener] { listener->wake.cancel(); });
    }
    for (const auto& connection : core_->connections) {
      asio::post(connection->stream->get_executor(), [core = core_.get(), connection] {
        // Its stream lives while it is in the list; both change on this strand.
        const std::lock_guard inner(core->mutex);
        if (connection->idle && core->connections.contains(connection)) beast::get_lowest_layer(*connection->stream).cancel();
      });
    }
    core_->empty.wait_for(lock, kStopGrace, [this] { return core_->connections.empty(); });
  }
  core_->io.stop();
  for (auto& thread : core_->threads) thread.join();
  core_->threads.clear();
  // They hold timers, which must not outlive what runs them.
  core_->listeners.clear();
  core_->connections.clear();
}

}  // namespace moru::fleet
