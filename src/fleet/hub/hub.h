// SPDX-License-Identifier: Apache-2.0
// The hub: the store, the broker, the API and the rollouts, put together.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"

namespace moru::fleet {

struct HubOptions {
  Path home;                       ///< all of the hub's state
  int port = 0;                    ///< of the API and the page, on 127.0.0.1; 0: a free one
  int mqtt_port = 0;               ///< 0: the one of the last time, else a free one
  std::vector<Path> release_keys;  ///< public keys (PEM) that joining nodes get; kept in HOME/release-keys
};

/// Threads: all functions from any thread.
class Hub {
 public:
  /// Starts everything and serves when it returns. Errors: kUnavailable (mosquitto is missing or does not start, another
  /// hub runs on this home), kResourceExhausted (port in use), kIo, kCorrupt.
  static Result<std::unique_ptr<Hub>> start(const HubOptions& options);
  /// Stops serving, lets what was handed in reach the disk, stops the broker.
  ~Hub();

  std::string url() const;       ///< "https://127.0.0.1:8443"
  std::string page_url() const;  ///< with the operator's secret: whoever has it is the operator
  Path operator_token_file() const;
  Path ca_file() const;
  int mqtt_port() const;
  pid_t broker_pid() const;

 private:
  struct Impl;
  explicit Hub(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace moru::fleet
