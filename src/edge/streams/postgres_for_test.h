// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL server of a test's own: in a folder of its own, on a free port, with a password.
#pragma once

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/process.h"
#include "core/text.h"
#include "edge/streams/postgres.h"

namespace moru::edge::testing {

class PostgresServer {
 public:
  static constexpr const char* kPassword = "s3cret of the test";
  static constexpr int kNobody = 65534;  // the server refuses to be root's

  /// Nothing where the machine has no server.
  static std::unique_ptr<PostgresServer> start() {
    std::optional<Path> programs;
    std::error_code error;
    for (std::filesystem::directory_iterator it("/usr/lib/postgresql", error), end; !error && it != end; it.increment(error)) {
      if (std::filesystem::exists(it->path() / "bin" / "initdb")) programs = it->path() / "bin";
    }
    auto folder = TempFolder::create("moru-postgres");
    if (!programs || !folder) return nullptr;
    auto server = std::unique_ptr<PostgresServer>(new PostgresServer(std::move(*folder), *programs));
    return server->make() && server->run() ? std::move(server) : nullptr;
  }

  PostgresOptions options() const {
    PostgresOptions options;
    options.host = "127.0.0.1";
    options.port = port_;
    options.database = "postgres";
    options.user = "tester";
    options.password = kPassword;
    options.timeout = 20 * kSecond;
    return options;
  }
  Path password_file() const { return folder_.path() / "password"; }
  void kill() {
    process_->send_signal(SIGKILL);
    process_->wait_for(10 * kSecond);
  }
  /// Starts it, and waits until it answers. What is left of a killed one may refuse it at first.
  bool run() {
    const TimeNs deadline = system_clock().steady_now() + 60 * kSecond;
    const auto answers = [&] { return Postgres::connect(options()).has_value(); };
    while (system_clock().steady_now() < deadline) {
      auto process =
          Process::start({.arguments = as_nobody({(programs_ / "postgres").string(), "-D", data().string(), "-p", std::to_string(port_),
                                                  "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"}),
                          .environment = {},
                          .output_file = folder_.path() / "log",
                          .working_folder = folder_.path()});
      if (!process) return false;
      process_.emplace(std::move(*process));
      const auto waits = [&] { return !process_->poll() && system_clock().steady_now() < deadline; };
      while (waits() && !answers()) ::usleep(10'000);
      if (waits()) return true;
    }
    return false;
  }
  /// The answer of a query, a line a row, values between '|'.
  std::string query(const std::string& sql) const {
    const auto answer = run_and_capture({.arguments = {(programs_ / "psql").string(), "-X", "-At", "-h", "127.0.0.1", "-p",
                                                       std::to_string(port_), "-U", "tester", "-d", "postgres", "-c", sql},
                                         .environment = {{"PGPASSWORD", kPassword}},
                                         .output_file = {},
                                         .working_folder = {}},
                                        60 * kSecond);
    return answer ? std::string(trim(answer->output)) : answer.error().message;
  }

 private:
  PostgresServer(TempFolder folder, Path programs) : folder_(std::move(folder)), programs_(std::move(programs)) {}
  Path data() const { return folder_.path() / "data"; }

  static std::vector<std::string> as_nobody(std::vector<std::string> arguments) {
    if (::geteuid() != 0) return arguments;
    std::vector<std::string> all = {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--pdeathsig", "KILL"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  bool make() {
    const auto port = free_port();
    if (!port || !write_file_atomic(password_file(), std::string(kPassword) + "\n", 0644)) return false;
    port_ = *port;
    if (::geteuid() == 0 && ::chown(folder_.path().c_str(), kNobody, kNobody) != 0) return false;
    const auto made = run_and_capture(
        {.arguments = as_nobody({(programs_ / "initdb").string(), "-D", data().string(), "-U", "tester", "-A", "scram-sha-256", "--pwfile",
                                 password_file().string(), "--no-sync", "--no-locale", "-E", "UTF8"}),
         .environment = {},
         .output_file = {},
         .working_folder = folder_.path()},
        60 * kSecond);
    return made && made->status.code == 0;
  }

  TempFolder folder_;
  Path programs_;
  int port_ = 0;
  std::optional<Process> process_;  // after the folder: it ends before that goes
};

}  // namespace moru::edge::testing
