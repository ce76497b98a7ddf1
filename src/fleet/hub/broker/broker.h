// SPDX-License-Identifier: Apache-2.0
// The MQTT broker that the hub starts for itself: mosquitto as a child process, on 127.0.0.1, mutual TLS only.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/clock.h"
#include "core/files.h"
#include "core/process.h"
#include "core/result.h"
#include "trust/certificates.h"

namespace moru::fleet {

struct BrokerOptions {
  Path folder;           ///< configuration, keys, persistence, log
  int port = 0;          ///< 0: the one of the last time if it is free, else a free one
  std::string hub_name;  ///< the certificate name that may read and write every topic
  std::string program = "mosquitto";
};

/// Keeps mosquitto running: when it dies it is started again on the same port (back-off 0.1 s to 5 s).
/// Threads: all functions from any thread.
class Broker {
 public:
  /// Writes the configuration, starts the broker and waits until it accepts connections (at most 10 s).
  /// Errors: kUnavailable (mosquitto is not installed, or does not start: the message has its last line).
  static Result<std::unique_ptr<Broker>> start(const BrokerOptions& options, const trust::CertificateAuthority& authority);
  /// Stops the broker.
  ~Broker();
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  int port() const { return port_; }
  /// Of the process that runs now; 0 while there is none.
  pid_t pid() const { return pid_; }
  int restarts() const { return restarts_; }

 private:
  Broker(Path folder, int port, std::string program);
  void supervise();
  Result<Process> launch() const;
  Status wait_listening(Process& process) const;
  std::string last_log_line() const;

  Path folder_;
  int port_;
  std::string program_;
  std::atomic<pid_t> pid_ = 0;
  std::atomic<int> restarts_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool started_ = false;  // the first start has an outcome
  Status first_;
  std::thread thread_;
};

/// The access rules (mosquitto's ACL file): a node reads and writes its own topics only, the hub all of them.
std::string broker_access_rules(const std::string& hub_name);

}  // namespace moru::fleet
