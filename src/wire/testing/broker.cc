// SPDX-License-Identifier: Apache-2.0
#include "wire/testing/broker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

namespace moru::wire::testing {

Result<TestBroker> TestBroker::start(const BrokerOptions& options) {
  MORU_ASSIGN_OR_RETURN(const int port, free_port());
  TestBroker broker(options.folder, port);
  std::string config = fmt::format("listener {} 127.0.0.1\nset_tcp_nodelay true\npersistence {}\n", port, options.persistence);
  if (options.persistence) config += fmt::format("persistence_location {}/\n", options.folder.string());
  if (options.ca_file.empty()) {
    config += "allow_anonymous true\n";
  } else {
    config += fmt::format("cafile {}\ncertfile {}\nkeyfile {}\nrequire_certificate true\nuse_identity_as_username true\n",
                          options.ca_file.string(), options.certificate_file.string(), options.key_file.string());
  }
  config += options.more;
  if (::geteuid() == 0) config += "user root\n";
  MORU_RETURN_IF_ERROR(write_file_atomic(options.folder / "broker.conf", config));
  MORU_RETURN_IF_ERROR(broker.restart());
  return broker;
}

Status TestBroker::restart() {
  const auto program = find_program("mosquitto");
  if (!program) return fail(ErrorCode::kUnavailable, "test broker: found no mosquitto, expected it; apt-get install mosquitto");
  ProcessOptions options;
  options.arguments = {program->string(), "-c", (folder_ / "broker.conf").string()};
  options.output_file = folder_ / "broker.log";
  MORU_ASSIGN_OR_RETURN(auto process, Process::start(options));
  process_.emplace(std::move(process));
  return {};
}

void TestBroker::kill() {
  process_->send_signal(SIGKILL);
  process_->wait_for(10 * kSecond);
}

void TestBroker::stop() { process_->stop(); }

std::string TestBroker::log() const { return read_file(folder_ / "broker.log").value_or(""); }

}  // namespace moru::wire::testing
