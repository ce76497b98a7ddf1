// SPDX-License-Identifier: Apache-2.0
// A mosquitto of a test's own, on a free port of the loopback, with mutual TLS or without. Dies with the object.
#pragma once

#include <optional>
#include <string>

#include "core/process.h"
#include "core/result.h"

namespace moru::wire::testing {

struct BrokerOptions {
  Path folder = {};   ///< for its configuration and log
  Path ca_file = {};  ///< empty: no TLS, and everyone may connect
  Path certificate_file = {};
  Path key_file = {};
  bool persistence = false;  ///< sessions and messages outlive the broker, in `folder`
  std::string more = {};     ///< lines of its configuration
};

class TestBroker {
 public:
  static Result<TestBroker> start(const BrokerOptions& options);
  int port() const { return port_; }
  /// As a power cut would: SIGKILL.
  void kill();
  /// As it should be: it writes down what it keeps.
  void stop();
  /// Again on the same port.
  Status restart();
  std::string log() const;

 private:
  TestBroker(Path folder, int port) : folder_(std::move(folder)), port_(port) {}
  Path folder_;
  int port_;
  std::optional<Process> process_;
};

}  // namespace moru::wire::testing
