// SPDX-License-Identifier: Apache-2.0
// TLS runs over two buffers in memory and never sees the socket: so one send() with MSG_NOSIGNAL serves both ways, and OpenSSL, which
// writes without it, cannot end the process when the other side has gone.
#include "wire/connection.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

namespace moru::wire {
namespace {

constexpr std::size_t kSealedBytes = 16'384;  // read from the socket at once: about one record of TLS

/// OpenSSL's default would ask on the terminal.
int no_pass_phrase(char*, int, int, void*) { return 0; }

std::string tls_error() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* const reason = ERR_reason_error_string(code);
  if (reason != nullptr) return reason;
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

Status need(bool done, std::string_view what, const Path& path) {
  if (done) return {};
  if (::access(path.c_str(), R_OK) != 0) return fail(errno_error(fmt::format("TLS: read {}", what), path));
  return fail(ErrorCode::kInvalidArgument, fmt::format("TLS: '{}': {}, expected {} as PEM", path.string(), tls_error(), what));
}

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

Result<std::vector<Address>> look_up(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0) return fail(ErrorCode::kUnavailable, fmt::format("{}: {}, expected a host's name or address", host, ::gai_strerror(code)));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    Address& address = addresses.emplace_back();
    address.size = std::min<socklen_t>(at->ai_addrlen, sizeof address.storage);
    std::memcpy(&address.storage, at->ai_addr, address.size);
  }
  return addresses;
}

bool is_address(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

}  // namespace

Result<TlsContext> TlsContext::load(const TlsOptions& options) {
  TlsContext context;
  if (!options.on) return context;
  SSL_CTX* const made = SSL_CTX_new(TLS_client_method());
  if (made == nullptr) return fail(ErrorCode::kResourceExhausted, fmt::format("TLS: {}, expected a context", tls_error()));
  context.context_ = std::shared_ptr<void>(made, [](void* old) { SSL_CTX_free(static_cast<SSL_CTX*>(old)); });
  SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION);
  SSL_CTX_set_verify(made, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_default_passwd_cb(made, no_pass_phrase);
  SSL_CTX_set_mode(made, SSL_MODE_RELEASE_BUFFERS);  // an idle connection holds no 34 kB
  if (options.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(made);
  } else {
    MORU_RETURN_IF_ERROR(need(SSL_CTX_load_verify_file(made, options.ca_file.c_str()) == 1, "a CA's certificate", options.ca_file));
  }
  if (!options.certificate_file.empty()) {
    MORU_RETURN_IF_ERROR(
        need(SSL_CTX_use_certificate_chain_file(made, options.certificate_file.c_str()) == 1, "a certificate", options.certificate_file));
    MORU_RETURN_IF_ERROR(need(SSL_CTX_use_PrivateKey_file(made, options.key_file.c_str(), SSL_FILETYPE_PEM) == 1,
                              "the certificate's key, without a pass phrase", options.key_file));
  }
  return context;
}

struct Connection::Impl {
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (socket >= 0) ::close(socket);
  }
  Status connect_next(int error);
  Status begin_tls();
  Result<bool> handshake();
  Status flush();
  std::size_t send_now(std::string_view bytes) const;
  void take_sealed();
  Result<std::size_t> receive(std::span<char> to) const;
  std::size_t unseal(std::span<char> to);
  Result<std::size_t> read_sealed(std::span<char> to);
  std::unexpected<Error> gone(std::string_view why) const {
    return fail(ErrorCode::kUnavailable, fmt::format("{}:{}: {}, expected a server that answers", host, port, why));
  }

  std::string host;
  int port = 0;
  std::vector<Address> addresses;
  std::size_t next = 0;  // of them, to be tried
  int socket = -1;
  bool connected = false;
  bool established = false;
  std::string out;  // waits for the socket, from `written` on
  std::size_t written = 0;
  TlsContext tls;
  SSL_CTX* context = nullptr;
  std::unique_ptr<SSL, FreeSsl> ssl;
  BIO* from_wire = nullptr;  // both belong to `ssl`
  BIO* to_wire = nullptr;
};

Status Connection::Impl::connect_next(int error) {
  while (next < addresses.size()) {
    const Address& address = addresses[next++];
    if (socket >= 0) ::close(socket);
    socket = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket < 0) return fail(ErrorCode::kResourceExhausted, fmt::format("{}:{}: socket: {}", host, port, std::strerror(errno)));
    const int on = 1;
    ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address.storage), address.size) == 0 || errno == EINPROGRESS) return {};
    error = errno;
  }
  return gone(std::strerror(error));
}

Status Connection::Impl::begin_tls() {
  ssl.reset(SSL_new(context));
  from_wire = BIO_new(BIO_s_mem());
  to_wire = BIO_new(BIO_s_mem());
  if (!ssl || from_wire == nullptr || to_wire == nullptr) return fail(ErrorCode::kResourceExhausted, "TLS: no memory, expected some");
  BIO_set_mem_eof_return(from_wire, -1);
  SSL_set_bio(ssl.get(), from_wire, to_wire);
  SSL_set_connect_state(ssl.get());
  X509_VERIFY_PARAM* const verify = SSL_get0_param(ssl.get());
  const bool named = is_address(host)
                         ? X509_VERIFY_PARAM_set1_ip_asc(verify, host.c_str()) == 1
                         : SSL_set1_host(ssl.get(), host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl.get(), host.c_str()) == 1;
  if (!named) return fail(ErrorCode::kInvalidArgument, fmt::format("TLS: found host '{}', expected a name or an address", host));
  return {};
}

/// What TLS has made ready goes behind what waits for the socket.
void Connection::Impl::take_sealed() {
  char* data = nullptr;
  const long size = BIO_get_mem_data(to_wire, &data);
  if (size <= 0) return;
  out.append(data, static_cast<std::size_t>(size));
  static_cast<void>(BIO_reset(to_wire));
}

/// As many as the socket takes at once; an error shows itself at the next flush.
std::size_t Connection::Impl::send_now(std::string_view bytes) const {
  const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

Status Connection::Impl::flush() {
  while (written < out.size()) {
    const ssize_t sent = ::send(socket, out.data() + written, out.size() - written, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
    if (sent < 0) return gone(std::strerror(errno));
    written += static_cast<std::size_t>(sent);
  }
  out.clear();
  written = 0;
  return {};
}

Result<std::size_t> Connection::Impl::receive(std::span<char> to) const {
  ssize_t got = -1;
  do {
    got = ::recv(socket, to.data(), to.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) return static_cast<std::size_t>(got);
  if (got == 0) return gone("the connection was closed");
  if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
  return gone(std::strerror(errno));
}

Result<bool> Connection::Impl::handshake() {
  std::array<char, kSealedBytes> sealed;  // NOLINT(cppcoreguidelines-pro-type-member-init): written by recv
  const auto received = receive(sealed);
  if (received && *received > 0) BIO_write(from_wire, sealed.data(), static_cast<int>(*received));
  const int done = SSL_do_handshake(ssl.get());
  take_sealed();
  MORU_RETURN_IF_ERROR(flush());  // an alert, too
  if (done == 1) return true;
  if (SSL_get_error(ssl.get(), done) != SSL_ERROR_WANT_READ) {
    const long verified = SSL_get_verify_result(ssl.get());
    return gone(verified == X509_V_OK
                    ? fmt::format("TLS: {}", tls_error())
                    : fmt::format("TLS: the server's certificate is not trusted: {}", X509_verify_cert_error_string(verified)));
  }
  if (!received) return fail(received.error());
  return false;
}

/// All that TLS has to give, or as much as fits: what stays in its memory no poll() would tell of.
std::size_t Connection::Impl::unseal(std::span<char> to) {
  std::size_t size = 0;
  while (size < to.size()) {
    const int got = SSL_read(ssl.get(), to.data() + size, static_cast<int>(to.size() - size));
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  return size;
}

/// The socket is read only when TLS has nothing more to give: so little lies between the two.
Result<std::size_t> Connection::Impl::read_sealed(std::span<char> to) {
  std::size_t size = unseal(to);
  if (size == 0) {
    std::array<char, kSealedBytes> sealed;  // NOLINT(cppcoreguidelines-pro-type-member-init): written by recv
    MORU_ASSIGN_OR_RETURN(const std::size_t received, receive(sealed));
    if (received == 0) return std::size_t{0};
    BIO_write(from_wire, sealed.data(), static_cast<int>(received));
    ERR_clear_error();
    size = unseal(to);
  }
  take_sealed();
  MORU_RETURN_IF_ERROR(flush());
  if (size > 0) return size;
  const int error = SSL_get_error(ssl.get(), -1);
  if (error == SSL_ERROR_SSL) return gone(fmt::format("TLS: {}", tls_error()));
  if ((SSL_get_shutdown(ssl.get()) & SSL_RECEIVED_SHUTDOWN) != 0) return gone("the connection was closed");
  return std::size_t{0};
}

Connection::Connection(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::Connection(Connection&& other) noexcept = default;
Connection& Connection::operator=(Connection&& other) noexcept = default;
Connection::~Connection() = default;

Result<Connection> Connection::start(const std::string& host, int port, const TlsContext& tls) {
  auto impl = std::make_unique<Impl>();
  impl->host = host;
  impl->port = port;
  impl->tls = tls;
  impl->context = static_cast<SSL_CTX*>(tls.context_.get());
  MORU_ASSIGN_OR_RETURN(impl->addresses, look_up(host, port));
  MORU_RETURN_IF_ERROR(impl->connect_next(0));
  if (impl->context != nullptr) MORU_RETURN_IF_ERROR(impl->begin_tls());
  return Connection(std::move(impl));
}

int Connection::fd() const { return impl_->socket; }

short Connection::events() const {
  const bool writes = !impl_->connected || !impl_->out.empty();
  return static_cast<short>(POLLIN | (writes ? POLLOUT : 0));
}

std::size_t Connection::unwritten() const { return impl_->out.size() - impl_->written; }

void Connection::finish(TimeNs longest) {
  const TimeNs deadline = system_clock().steady_now() + longest;
  bool told = false;
  std::array<char, kSealedBytes> rest;  // NOLINT(cppcoreguidelines-pro-type-member-init): nobody reads it
  while (impl_->connected) {
    if (!impl_->flush()) return;
    if (impl_->out.empty() && !std::exchange(told, true)) ::shutdown(impl_->socket, SHUT_WR);
    if (!impl_->receive(rest)) return;
    const TimeNs left = deadline - system_clock().steady_now();
    pollfd entry{.fd = impl_->socket, .events = events(), .revents = 0};
    if (left <= 0 || ::poll(&entry, 1, static_cast<int>(left / kMillisecond + 1)) == 0) return;
  }
}

Result<bool> Connection::advance() {
  if (!impl_->connected) {
    pollfd entry{.fd = impl_->socket, .events = POLLOUT, .revents = 0};
    if (::poll(&entry, 1, 0) <= 0) return false;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(impl_->socket, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      MORU_RETURN_IF_ERROR(impl_->connect_next(error));
      return false;
    }
    impl_->connected = true;
  }
  if (!impl_->established) {
    impl_->established = true;
    if (impl_->ssl) {
      MORU_ASSIGN_OR_RETURN(impl_->established, impl_->handshake());
    }
  }
  MORU_RETURN_IF_ERROR(impl_->flush());
  return impl_->established;
}

Result<std::size_t> Connection::read(std::span<char> to) { return impl_->ssl ? impl_->read_sealed(to) : impl_->receive(to); }

Status Connection::write(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (impl_->ssl) {
    // Into memory: all of it is taken at once.
    if (SSL_write(impl_->ssl.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0)
      return impl_->gone(fmt::format("TLS: {}", tls_error()));
    impl_->take_sealed();
  } else {
    MORU_RETURN_IF_ERROR(impl_->flush());
    if (impl_->out.empty()) bytes.remove_prefix(impl_->send_now(bytes));  // the usual case: no copy
    impl_->out.append(bytes);
  }
  return impl_->flush();
}

}  // namespace moru::wire
