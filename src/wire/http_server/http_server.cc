// SPDX-License-Identifier: Apache-2.0
// What knows Boost.Beast and Asio, with channel.h and connection.h.
#include "wire/http_server/http_server.h"

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
#include <mutex>
#include <set>
#include <thread>

#include "core/text.h"
#include "wire/http_server/connection.h"
#include "wire/http_server/file_reader.h"
#include "wire/http_server/request_head.h"
#include "wire/http_server/security.h"

namespace moru::wire::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Buffer = beast::flat_buffer;
using HeadParser = http::request_parser<http::empty_body>;
using ErrorInfo = boost::system::error_code;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kMaxThrownAway = std::size_t{64} << 20U;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr auto kKeepAlive = std::chrono::seconds(15);
constexpr auto kStopGrace = std::chrono::seconds(5);

std::chrono::nanoseconds nanoseconds(TimeNs time) { return std::chrono::nanoseconds(time); }

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
  std::set<std::shared_ptr<Pending>> pending;
  std::shared_ptr<Gate> gate = std::make_shared<Gate>();
  std::vector<std::thread> threads;
  // Last, so that it goes first: connections that end with it use what stands above.
  asio::io_context io;
  tcp::acceptor acceptor{io};

  Status bind();
  asio::awaitable<void> accept();
  asio::awaitable<void> serve(tcp::socket socket);
  asio::awaitable<void> serve_requests(Channel& channel, Connection& connection);
  asio::awaitable<bool> serve_request(Channel& channel, Connection& connection, Buffer& buffer, const std::string& peer);
  HttpAdmission admit(const HttpRequest& request, const HeadParser& head) const;
  asio::awaitable<bool> refuse(Channel& channel, const HeadParser& head, const HttpResponse& refusal);
  asio::awaitable<std::optional<std::string>> read_body(Channel& channel, Buffer& buffer, HeadParser& head, std::uint64_t max_bytes);
  asio::awaitable<bool> answer(Channel& channel, const HttpResponse& response, bool head_only, bool keep_alive);
  asio::awaitable<bool> send_file(Channel& channel, const HttpFile& file) const;
  static asio::awaitable<void> throw_away_rest(Channel& channel);
  asio::awaitable<void> send_events(Channel& channel);
  asio::awaitable<HttpResponse> call_later(Channel& channel, HttpRequest request);
};

Status HttpServer::Core::bind() {
  ErrorInfo error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("http: found address {}, expected an IPv4 or IPv6 address of this machine", in_quotes(options.address)));
  }
  const tcp::endpoint endpoint(address, static_cast<std::uint16_t>(options.port));
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == boost::system::errc::address_in_use) {
    return fail(ErrorCode::kResourceExhausted,
                fmt::format("http: port {} on {} is in use, expected a free one; stop the other program or give another port", options.port,
                            options.address));
  }
  if (error) return fail(ErrorCode::kIo, fmt::format("http: listen on {} port {}: {}", options.address, options.port, error.message()));
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
  Channel channel(std::move(socket), options.plain ? nullptr : &tls);
  const auto connection = std::make_shared<Connection>(&channel);
  {
    const std::lock_guard lock(mutex);
    if (stopping || connections.size() >= options.max_connections) co_return;
    connections.insert(connection);
  }
  channel.tcp().expires_after(nanoseconds(options.idle_timeout));
  if (Channel::TlsStream* const secured = channel.tls()) {
    const auto [error] = co_await secured->async_handshake(asio::ssl::stream_base::server, kAwait);
    if (!error) {
      co_await serve_requests(channel, *connection);
      channel.tcp().expires_after(std::chrono::seconds(1));
      [[maybe_unused]] const auto [closed] = co_await secured->async_shutdown(kAwait);  // the other side often just goes
    }
  } else {
    co_await serve_requests(channel, *connection);
    channel.tcp().socket().shutdown(tcp::socket::shutdown_send, ignored);
  }
  const std::lock_guard lock(mutex);
  connections.erase(connection);
  empty.notify_all();
}

/// Waits for the answer without holding a thread.
asio::awaitable<HttpResponse> HttpServer::Core::call_later(Channel& channel, HttpRequest request) {
  const auto waiting = std::make_shared<Pending>(channel.get_executor());
  waiting->wake.expires_after(nanoseconds(options.request_timeout));
  channel.tcp().expires_never();
  {
    const std::lock_guard lock(mutex);
    pending.insert(waiting);
  }
  {
    const auto answerer = std::make_shared<Answerer>(gate, waiting);
    begin_answer(handlers, std::move(request), [answerer](HttpResponse response) { answerer->answer(std::move(response)); });
  }
  // The answer is posted to this strand, so it is not there before the wait begins, and cancels it; so does stop(). After a stop
  // there is still to be heard what was posted before it.
  if (stopping) {
    co_await asio::post(channel.get_executor(), asio::use_awaitable);
  } else {
    co_await waiting->wake.async_wait(kAwait);
  }
  const std::lock_guard lock(mutex);
  pending.erase(waiting);
  if (waiting->response) co_return std::move(*waiting->response);
  co_return http_error(503, "no answer in time; try again in a moment");
}

asio::awaitable<void> HttpServer::Core::serve_requests(Channel& channel, Connection& connection) {
  const std::string peer = channel.tls() != nullptr ? common_name_of_peer(channel.tls()->native_handle()) : std::string();
  Buffer buffer;
  bool keep_alive = true;
  while (keep_alive && !stopping) keep_alive = co_await serve_request(channel, connection, buffer, peer);
}

/// One request, from its head to the end of its answer. False: the connection is of no more use.
asio::awaitable<bool> HttpServer::Core::serve_request(Channel& channel, Connection& connection, Buffer& buffer, const std::string& peer) {
  connection.idle = true;
  channel.tcp().expires_after(nanoseconds(options.idle_timeout));
  HeadParser head;
  head.header_limit(kMaxHeadBytes);
  head.body_limit(boost::none);
  [[maybe_unused]] const auto [read_error, head_bytes] = co_await http::async_read_header(channel, buffer, head, kAwait);
  connection.idle = false;
  if (read_error) {
    if (const auto refusal = refusal_of(read_error)) co_await answer(channel, *refusal, false, false);
    co_return false;
  }
  const bool head_only = head.get().method() == http::verb::head;
  const bool keep_alive = head.get().keep_alive();
  auto request = read_head(peer, head.get().method_string(), head.get().target(), [&](const char* name) { return head.get()[name]; });
  if (!request) co_return co_await answer(channel, http_error(400, request.error().message), head_only, false);
  const HttpAdmission admission = admit(*request, head);
  if (admission.refusal) co_return co_await refuse(channel, head, *admission.refusal);
  auto body = co_await read_body(channel, buffer, head, admission.max_body_bytes);
  if (!body) co_return false;
  request->body = std::move(*body);
  HttpResponse response;
  if (handlers.handle_later) {
    response = co_await call_later(channel, std::move(*request));
  } else {
    response = answer_now(handlers, std::move(*request));
  }
  if (response.events) {
    connection.idle = true;
    co_await send_events(channel);
    co_return false;
  }
  co_return co_await answer(channel, response, head_only, keep_alive && !stopping);
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
asio::awaitable<bool> HttpServer::Core::refuse(Channel& channel, const HeadParser& head, const HttpResponse& refusal) {
  // What is left of the body would be taken for the next request: keep the connection only when there is none.
  const bool keep_alive = head.get().keep_alive() && head.is_done();
  if (co_await answer(channel, refusal, head.get().method() == http::verb::head, keep_alive)) co_return true;
  if (!head.is_done()) co_await throw_away_rest(channel);
  co_return false;
}

/// The body of a request whose head was admitted. Nothing: the client has gone, or was told why the connection ends.
asio::awaitable<std::optional<std::string>> HttpServer::Core::read_body(Channel& channel, Buffer& buffer, HeadParser& head,
                                                                        std::uint64_t max_bytes) {
  const bool head_only = head.get().method() == http::verb::head;
  if (beast::iequals(head.get()[http::field::expect], "100-continue")) {
    [[maybe_unused]] const auto [sent_error, sent] = co_await asio::async_write(channel, asio::buffer(kContinue), kAwait);
    if (sent_error) co_return std::nullopt;
  }
  http::request_parser<http::string_body> whole(std::move(head));
  whole.body_limit(max_bytes);
  channel.tcp().expires_after(nanoseconds(options.request_timeout));
  [[maybe_unused]] const auto [error, bytes] = co_await http::async_read(channel, buffer, whole, kAwait);
  if (error == http::error::body_limit) {
    co_await answer(channel, http_error(413, fmt::format("the body has more than {} bytes", max_bytes)), head_only, false);
    co_await throw_away_rest(channel);
    co_return std::nullopt;
  }
  if (error) co_return std::nullopt;
  co_return std::move(whole.get().body());
}

asio::awaitable<bool> HttpServer::Core::answer(Channel& channel, const HttpResponse& response, bool head_only, bool keep_alive) {
  channel.tcp().expires_after(nanoseconds(options.request_timeout));
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
    [[maybe_unused]] const auto [error, bytes] = co_await http::async_write_header(channel, serializer, kAwait);
    if (error) co_return false;
    if (head_only) co_return keep_alive;
    co_return co_await send_file(channel, *response.file) && keep_alive;
  }
  [[maybe_unused]] const auto [error, bytes] = co_await http::async_write(channel, serializer, kAwait);
  co_return !error && keep_alive;
}

asio::awaitable<bool> HttpServer::Core::send_file(Channel& channel, const HttpFile& file) const {
  FileReader reader(file);
  while (!reader.done()) {
    const auto piece = reader.next();
    if (piece.empty()) co_return false;  // shorter than promised: the cut connection tells the client
    channel.tcp().expires_after(nanoseconds(options.request_timeout));
    [[maybe_unused]] const auto [error, bytes] = co_await asio::async_write(channel, asio::buffer(piece.data(), piece.size()), kAwait);
    if (error) co_return false;
  }
  co_return true;
}

/// Reads on for a moment before the connection is closed: a client that is still sending would lose the answer to a
/// reset (RFC 9112, section 9.6).
asio::awaitable<void> HttpServer::Core::throw_away_rest(Channel& channel) {
  std::vector<char> buffer(64 * 1024);
  channel.tcp().expires_after(std::chrono::seconds(2));
  for (std::size_t total = 0; total < kMaxThrownAway;) {
    const auto [error, bytes] = co_await channel.async_read_some(asio::buffer(buffer), kAwait);
    if (error) co_return;
    total += bytes;
  }
}

asio::awaitable<void> HttpServer::Core::send_events(Channel& channel) {
  const auto listener = std::make_shared<Listener>(channel.get_executor(), options);
  {
    const std::lock_guard lock(mutex);
    listeners.insert(listener);
  }
  std::string text =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
      "Connection: close\r\n\r\n: welcome\n\n";
  while (true) {
    channel.tcp().expires_after(nanoseconds(options.request_timeout));
    [[maybe_unused]] const auto [error, bytes] = co_await asio::async_write(channel, asio::buffer(text), kAwait);
    if (error || stopping || listener->queue.too_slow()) break;
    channel.tcp().expires_never();
    text = listener->queue.take();
    if (!text.empty()) continue;
    listener->wake.expires_after(kKeepAlive);
    [[maybe_unused]] const auto [woken] = co_await listener->wake.async_wait(kAwait);
    if (stopping) break;
    text = listener->queue.take();
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
  if (!core->options.plain) MORU_RETURN_IF_ERROR(set_up_tls(core->tls, core->options));
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
    if (listener->queue.push(text)) asio::post(listener->wake.get_executor(), [listener] { listener->wake.cancel(); });
  }
}

std::size_t HttpServer::listeners() const {
  const std::lock_guard lock(core_->mutex);
  return core_->listeners.size();
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
    for (const auto& waiting : core_->pending) asio::post(waiting->wake.get_executor(), [waiting] { waiting->wake.cancel(); });
    for (const auto& connection : core_->connections) {
      asio::post(connection->channel->get_executor(), [core = core_.get(), connection] {
        // Its channel lives while it is in the list; both change on this strand.
        const std::lock_guard inner(core->mutex);
        if (connection->idle && core->connections.contains(connection)) connection->channel->tcp().cancel();
      });
    }
    core_->empty.wait_for(lock, kStopGrace, [this] { return core_->connections.empty(); });
  }
  core_->io.stop();
  for (auto& thread : core_->threads) thread.join();
  core_->threads.clear();
  {
    const std::lock_guard lock(core_->gate->mutex);
    core_->gate->open = false;
  }
  // They hold timers, which must not outlive what runs them.
  core_->listeners.clear();
  core_->pending.clear();
  core_->connections.clear();
}

}  // namespace moru::wire::server
