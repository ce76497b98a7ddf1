// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/postgres.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "core/loaded_library.h"
#include "core/text.h"

namespace moru::edge {
namespace {

/// The functions used, without their PQ: nothing is linked, so each is looked up by name.
#define MORU_POSTGRES_FUNCTIONS(X) \
  X(connectStartParams)            \
  X(connectPoll)                   \
  X(status)                        \
  X(errorMessage)                  \
  X(socket)                        \
  X(finish)                        \
  X(setnonblocking)                \
  X(setNoticeProcessor)            \
  X(flush)                         \
  X(consumeInput)                  \
  X(isBusy)                        \
  X(getResult)                     \
  X(clear)                         \
  X(resultStatus)                  \
  X(resultErrorField)              \
  X(resultErrorMessage)            \
  X(cmdTuples)                     \
  X(sendQueryParams)               \
  X(sendPrepare)                   \
  X(sendQueryPrepared)             \
  X(enterPipelineMode)             \
  X(pipelineSync)

struct Api {
#define MORU_POSTGRES_MEMBER(name) decltype(&::PQ##name) name = nullptr;
  MORU_POSTGRES_FUNCTIONS(MORU_POSTGRES_MEMBER)  // NOLINT(readability-identifier-naming): its names
#undef MORU_POSTGRES_MEMBER
};

constexpr const char* kLibrary = "libpq.so.5";
constexpr const char* kStatement = "moru";

Result<Api> load() {
  MORU_ASSIGN_OR_RETURN(auto library, LoadedLibrary::open("PostgreSQL", kLibrary, "libpq5"));
  Api api;
#define MORU_POSTGRES_LOOK_UP(name) library.find("PQ" #name, api.name);
  MORU_POSTGRES_FUNCTIONS(MORU_POSTGRES_LOOK_UP)
#undef MORU_POSTGRES_LOOK_UP
  MORU_RETURN_IF_ERROR(library.has_all("release 14 or later"));
  return api;
}

/// Loaded once, and never destroyed.
const Result<Api>& library() {
  static const Result<Api>* const instance = new Result<Api>(load());  // never destroyed
  return *instance;
}

std::string one_line(const char* text) {
  std::string line(trim(text != nullptr ? text : ""));
  std::ranges::replace(line, '\n', ' ');
  return line;
}

/// Data exceptions, constraints, and what is too large: no other connection and no later time will take it.
bool is_refusal(std::string_view state) { return state.starts_with("22") || state.starts_with("23") || state.starts_with("54"); }

}  // namespace

struct Postgres::Impl {
  const Api& pq;
  PostgresOptions options;
  PGconn* connection = nullptr;
  TimeNs deadline = 0;

  Impl(const Api& api, PostgresOptions given) : pq(api), options(std::move(given)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (connection != nullptr) pq.finish(connection);
  }

  struct Clear {
    const Api* pq;
    void operator()(PGresult* result) const { pq->clear(result); }
  };
  using Answer = std::unique_ptr<PGresult, Clear>;

  void begin() { deadline = system_clock().steady_now() + options.timeout; }
  std::unexpected<Error> lost(std::string_view what) const {
    return fail(ErrorCode::kUnavailable,
                fmt::format("PostgreSQL at '{}' port {}: {}, expected a server that answers", options.host, options.port, what));
  }
  std::unexpected<Error> broken() const { return lost(one_line(pq.errorMessage(connection))); }
  Status wait(short events) const;
  Status connect();
  Result<Answer> next();
  Result<std::size_t> settle();
  Error error_of(const PGresult* answer) const;
};

/// Until the socket can be read or written, or the time is over.
Status Postgres::Impl::wait(short events) const {
  while (true) {
    const TimeNs left = deadline - system_clock().steady_now();
    if (left <= 0) return lost(fmt::format("no answer within {}", human_duration_ns(options.timeout)));
    pollfd what{.fd = pq.socket(connection), .events = events, .revents = 0};
    const int ready = ::poll(&what, 1, static_cast<int>(left / kMillisecond + 1));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return lost("no more descriptors to wait for");
  }
}

Status Postgres::Impl::connect() {
  const std::string port = std::to_string(options.port);
  const std::array keywords = {"host",
                               "port",
                               "dbname",
                               "user",
                               "password",
                               "sslmode",
                               "sslrootcert",
                               "application_name",
                               "client_encoding",
                               static_cast<const char*>(nullptr)};
  const std::array values = {options.host.c_str(),
                             port.c_str(),
                             options.database.c_str(),
                             options.user.c_str(),
                             options.password ? options.password->c_str() : nullptr,
                             options.tls.c_str(),
                             options.ca_file.empty() ? nullptr : options.ca_file.c_str(),
                             "moru",
                             "UTF8",
                             static_cast<const char*>(nullptr)};
  begin();
  connection = pq.connectStartParams(keywords.data(), values.data(), 0);
  if (connection == nullptr) return lost("no memory");
  if (pq.status(connection) == CONNECTION_BAD) return broken();
  // What the server only remarks ("the table exists already") is not for our stderr.
  pq.setNoticeProcessor(connection, [](void*, const char*) {}, nullptr);
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED) return broken();
    MORU_RETURN_IF_ERROR(wait(state == PGRES_POLLING_READING ? POLLIN : POLLOUT));
    state = pq.connectPoll(connection);
  }
  if (pq.setnonblocking(connection, 1) != 0 || pq.enterPipelineMode(connection) != 1) return broken();
  return {};
}

/// The next answer of the server; null between those of two statements.
Result<Postgres::Impl::Answer> Postgres::Impl::next() {
  while (true) {
    const int unsent = pq.flush(connection);
    if (unsent < 0) return broken();
    if (unsent == 0 && pq.isBusy(connection) == 0) return Answer(pq.getResult(connection), {&pq});
    MORU_RETURN_IF_ERROR(wait(unsent > 0 ? POLLIN | POLLOUT : POLLIN));
    if (pq.consumeInput(connection) != 1) return broken();
  }
}

Error Postgres::Impl::error_of(const PGresult* answer) const {
  const char* const state = pq.resultErrorField(answer, PG_DIAG_SQLSTATE);
  const ErrorCode code = state != nullptr && is_refusal(state) ? ErrorCode::kInvalidArgument : ErrorCode::kInternal;
  return Error{code, fmt::format("PostgreSQL at '{}' port {}: {}, expected a statement that it can run", options.host, options.port,
                                 one_line(pq.resultErrorMessage(answer)))};
}

/// Sends what closes the transaction and reads all answers up to its end; how many rows there are more.
Result<std::size_t> Postgres::Impl::settle() {
  if (pq.pipelineSync(connection) != 1) return broken();
  Status status;
  std::size_t rows = 0;
  int nothing = 0;
  while (true) {
    MORU_ASSIGN_OR_RETURN(const auto answer, next());
    nothing = answer ? 0 : nothing + 1;
    if (nothing > 1) return broken();  // one stands between two statements
    const auto state = answer ? pq.resultStatus(answer.get()) : PGRES_EMPTY_QUERY;
    if (state == PGRES_PIPELINE_SYNC) break;
    if (state == PGRES_COMMAND_OK && std::string_view(pq.cmdTuples(answer.get())) == "1") ++rows;
    if (state == PGRES_FATAL_ERROR && pq.status(connection) == CONNECTION_BAD) return broken();
    if (state == PGRES_FATAL_ERROR && status) status = fail(error_of(answer.get()));
  }
  if (!status) return fail(status.error());
  return rows;
}

Postgres::Postgres(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Postgres::Postgres(Postgres&&) noexcept = default;
Postgres& Postgres::operator=(Postgres&&) noexcept = default;
Postgres::~Postgres() = default;

Result<Postgres> Postgres::connect(const PostgresOptions& options) {
  const auto& api = library();
  if (!api) return fail(api.error());
  auto impl = std::make_unique<Impl>(*api, options);
  MORU_RETURN_IF_ERROR(impl->connect());
  return Postgres(std::move(impl));
}

Status Postgres::execute(const std::string& sql) {
  impl_->begin();
  if (impl_->pq.sendQueryParams(impl_->connection, sql.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) != 1) return impl_->broken();
  MORU_RETURN_IF_ERROR(impl_->settle());
  return {};
}

Status Postgres::prepare(const std::string& sql) {
  impl_->begin();
  if (impl_->pq.sendPrepare(impl_->connection, kStatement, sql.c_str(), 0, nullptr) != 1) return impl_->broken();
  MORU_RETURN_IF_ERROR(impl_->settle());
  return {};
}

/// What stands between two syncs of a pipeline is one transaction: all of it or nothing.
Result<std::size_t> Postgres::insert(std::size_t columns, std::span<const std::optional<std::string>> values) {
  impl_->begin();
  std::vector<const char*> row(columns);
  for (std::size_t at = 0; at < values.size(); at += columns) {
    for (std::size_t i = 0; i < columns; ++i) row[i] = values[at + i] ? values[at + i]->c_str() : nullptr;
    if (impl_->pq.sendQueryPrepared(impl_->connection, kStatement, static_cast<int>(columns), row.data(), nullptr, nullptr, 0) != 1)
      return impl_->broken();
  }
  return impl_->settle();
}

}  // namespace moru::edge
