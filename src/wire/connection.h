// SPDX-License-Identifier: Apache-2.0
// A TCP connection to a server, with TLS or without, that never waits: whoever uses it polls its descriptor.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"

namespace moru::wire {

struct TlsOptions {
  bool on = false;
  Path ca_file;           ///< PEM; empty: those that the system trusts
  Path certificate_file;  ///< PEM, this client's; empty: none
  Path key_file;          ///< PEM, without a pass phrase
};

/// What TLS connections share: certificates and keys, read once. Cheap to copy.
class TlsContext {
 public:
  /// Without TLS it is empty. Errors: a file that cannot be read, or is not what it should be.
  static Result<TlsContext> load(const TlsOptions& options);

 private:
  friend class Connection;
  std::shared_ptr<void> context_;  // SSL_CTX; null without TLS
};

/// Threads: one at a time. An error (kUnavailable) ends the connection: destroy it.
class Connection {
 public:
  /// Begins to connect. The host's name is looked up here, which may wait.
  static Result<Connection> start(const std::string& host, int port, const TlsContext& tls);
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;
  ~Connection();

  int fd() const;
  /// What to poll the descriptor for: POLLIN, POLLOUT.
  short events() const;
  /// Goes on with connecting, the TLS handshake and what waits to be written. True once it is established.
  Result<bool> advance();
  /// Puts what has come into `to`, returns how many bytes. 0: nothing now. As many as fit: there may be more, and poll() may not know.
  Result<std::size_t> read(std::span<char> to);
  /// Takes all of `bytes`; what the kernel does not take now waits for advance().
  Status write(std::string_view bytes);
  /// Writes what waits, tells the other side that nothing more comes, and waits until it has closed, too, or so long: closed at once, with
  /// something of the other side's unread, the kernel would throw away what was written last.
  void finish(TimeNs longest);
  /// Bytes that wait.
  std::size_t unwritten() const;

 private:
  struct Impl;
  explicit Connection(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace moru::wire
