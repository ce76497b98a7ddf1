// SPDX-License-Identifier: Apache-2.0
// A connection to PostgreSQL without the types of libpq. The one file that knows them is postgres.cc; the library is loaded at first use.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace moru::edge {

struct PostgresOptions {
  std::string host;  ///< a name, an address, or the folder of the server's socket
  std::int64_t port = 5432;
  std::string database;
  std::string user;
  std::optional<std::string> password;
  std::string tls = "prefer";  ///< as libpq's sslmode
  std::string ca_file;
  TimeNs timeout = 10 * kSecond;  ///< for each call; after it the connection is given up
};

/// One connection. Errors of all functions: kUnavailable (no libpq, no server, it does not answer in time), kInvalidArgument (a value
/// that the table does not take; classes 22, 23 and 54 of SQLSTATE), kInternal (another error of the server, with its words). After
/// another one than kInvalidArgument the connection is good for nothing. Threads: one at a time.
class Postgres {
 public:
  static Result<Postgres> connect(const PostgresOptions& options);
  Postgres(Postgres&&) noexcept;
  Postgres& operator=(Postgres&&) noexcept;
  ~Postgres();

  /// A statement without values or answer.
  Status execute(const std::string& sql);
  /// Keeps the statement that insert() runs; its values are $1, $2, ...
  Status prepare(const std::string& sql);
  /// Runs it for each `columns` of `values` (nothing: NULL) in one transaction; returns how many rows there are more.
  Result<std::size_t> insert(std::size_t columns, std::span<const std::optional<std::string>> values);

 private:
  struct Impl;
  explicit Postgres(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace moru::edge
