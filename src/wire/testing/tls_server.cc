// SPDX-License-Identifier: Apache-2.0
#include "wire/testing/tls_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <thread>

namespace moru::wire::testing {
namespace {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using SslPtr = std::unique_ptr<SSL, Deleter<SSL_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;

BioPtr reader(const std::string& text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

bool write_all(SSL* ssl, std::string_view bytes) {
  return bytes.empty() || SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size());
}

std::optional<TestRequest> read_request(SSL* ssl) {
  std::string text;
  std::size_t head = std::string::npos;
  std::array<char, 16384> piece{};
  while ((head = text.find("\r\n\r\n")) == std::string::npos) {
    const int got = SSL_read(ssl, piece.data(), static_cast<int>(piece.size()));
    if (got <= 0) return std::nullopt;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  TestRequest request;
  request.method = text.substr(0, text.find(' '));
  const std::size_t path = request.method.size() + 1;
  request.path = text.substr(path, text.find(' ', path) - path);
  std::size_t at = text.find("\r\n") + 2;
  while (at < head) {
    const std::size_t end = text.find("\r\n", at);
    const std::size_t colon = text.find(':', at);
    std::string name = text.substr(at, colon - at);
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    request.headers[name] = text.substr(colon + 2, end - colon - 2);
    at = end + 2;
  }
  std::size_t length = 0;
  if (const auto it = request.headers.find("content-length"); it != request.headers.end()) {
    std::from_chars(it->second.data(), it->second.data() + it->second.size(), length);
  }
  request.body = text.substr(head + 4);
  while (request.body.size() < length) {
    const int got = SSL_read(ssl, piece.data(), static_cast<int>(piece.size()));
    if (got <= 0) return std::nullopt;
    request.body.append(piece.data(), static_cast<std::size_t>(got));
  }
  if (const CertificatePtr shown(SSL_get1_peer_certificate(ssl)); shown != nullptr) {
    std::array<char, 80> name{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(shown.get()), NID_commonName, name.data(), static_cast<int>(name.size()));
    request.client_name = name.data();
  }
  return request;
}

}  // namespace

struct TlsServer::Impl {
  ContextPtr context;
  Handler handler;
  int listener = -1;
  int stop = -1;
  int port = 0;
  std::thread thread;

  ~Impl() {
    if (stop >= 0) {
      const std::uint64_t one = 1;
      [[maybe_unused]] const auto written = ::write(stop, &one, sizeof one);
    }
    if (thread.joinable()) thread.join();
    if (listener >= 0) ::close(listener);
    if (stop >= 0) ::close(stop);
  }

  /// True when `fd` can be read, false when the server stops.
  bool wait(int fd) const {
    std::array<pollfd, 2> fds{{{fd, POLLIN, 0}, {stop, POLLIN, 0}}};
    while (::poll(fds.data(), fds.size(), -1) < 0) {
    }
    return fds[1].revents == 0;
  }

  void serve(int client) {
    const SslPtr ssl(SSL_new(context.get()));
    // A client that goes silent must not hold the server for ever.
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    SSL_set_fd(ssl.get(), client);
    if (SSL_accept(ssl.get()) != 1) return;
    const auto request = read_request(ssl.get());
    if (!request) return;
    const TestResponse response = handler(*request);
    if (response.hang) {
      wait(stop);
      return;
    }
    std::string head =
        fmt::format("HTTP/1.1 {} Test\r\nContent-Length: {}\r\nConnection: close\r\n", response.status, response.body.size());
    if (!response.content_range.empty()) head += "Content-Range: " + response.content_range + "\r\n";
    if (!write_all(ssl.get(), head + "\r\n")) return;
    const std::string_view body = response.body;
    if (!write_all(ssl.get(), body.substr(0, response.break_after.value_or(body.size())))) return;
    if (!response.break_after) SSL_shutdown(ssl.get());
  }

  void run() {
    // A client that goes away early must not end the test.
    sigset_t pipe{};
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    while (wait(listener)) {
      const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      serve(client);
      ::close(client);
    }
  }
};

TlsServer::TlsServer() : impl_(std::make_unique<Impl>()) {}
TlsServer::~TlsServer() = default;
int TlsServer::port() const { return impl_->port; }
std::string TlsServer::url(const std::string& path) const { return fmt::format("https://127.0.0.1:{}{}", impl_->port, path); }

Result<std::unique_ptr<TlsServer>> TlsServer::start(const TlsServerOptions& options, Handler handler) {
  std::unique_ptr<TlsServer> server(new TlsServer());
  Impl& impl = *server->impl_;
  impl.handler = std::move(handler);
  impl.context.reset(SSL_CTX_new(TLS_server_method()));
  const CertificatePtr certificate(PEM_read_bio_X509(reader(options.certificate_pem).get(), nullptr, nullptr, nullptr));
  const KeyPtr key(PEM_read_bio_PrivateKey(reader(options.key_pem).get(), nullptr, nullptr, nullptr));
  if (impl.context == nullptr || SSL_CTX_use_certificate(impl.context.get(), certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(impl.context.get(), key.get()) != 1) {
    return fail(ErrorCode::kInvalidArgument, "test server: found a certificate or key that cannot be used, expected a PEM pair");
  }
  if (!options.client_ca_pem.empty()) {
    const CertificatePtr ca(PEM_read_bio_X509(reader(options.client_ca_pem).get(), nullptr, nullptr, nullptr));
    X509_STORE_add_cert(SSL_CTX_get_cert_store(impl.context.get()), ca.get());
    SSL_CTX_set_verify(impl.context.get(), SSL_VERIFY_PEER, nullptr);
  }
  impl.listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  impl.stop = ::eventfd(0, EFD_CLOEXEC);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(impl.listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(impl.listener, 16) != 0 ||
      ::getsockname(impl.listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return fail(ErrorCode::kIo, "test server: cannot listen on the loopback");
  }
  impl.port = ntohs(address.sin_port);
  impl.thread = std::thread([&impl] { impl.run(); });
  return server;
}

TestResponse serve_bytes(const TestRequest& request, const std::string& bytes) {
  const auto it = request.headers.find("range");
  if (it == request.headers.end()) return {.status = 200, .body = bytes, .content_range = {}};
  std::size_t from = 0;
  const std::string text = it->second.substr(std::string("bytes=").size());
  std::from_chars(text.data(), text.data() + text.size(), from);
  if (from >= bytes.size()) return {.status = 416, .body = {}, .content_range = {}};
  return {.status = 206, .body = bytes.substr(from), .content_range = fmt::format("bytes {}-{}/{}", from, bytes.size() - 1, bytes.size())};
}

}  // namespace moru::wire::testing
