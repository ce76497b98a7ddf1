// SPDX-License-Identifier: Apache-2.0
// A producer of Apache Kafka without the types of librdkafka. The one file that knows them is kafka.cc; the library is loaded at first use.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace moru::edge {

struct KafkaOptions {
  std::string topic;
  std::vector<std::pair<std::string, std::string>> settings;  ///< librdkafka's own names, "bootstrap.servers"
  TimeNs timeout = 10 * kSecond;                              ///< until the brokers must have stored a message
};

struct KafkaMessage {
  std::optional<std::string> key;  ///< messages with one key go to one partition, in order
  std::string value;
  std::vector<std::pair<std::string, std::string>> headers;
  TimeNs time = 0;  ///< wall clock
};

/// An idempotent producer: the brokers drop what its own retries send twice. Threads: one at a time.
class KafkaProducer {
 public:
  /// Does not wait for a broker. Errors: kUnavailable (no librdkafka), kInvalidArgument (a setting that it does not know).
  static Result<KafkaProducer> create(const KafkaOptions& options);
  KafkaProducer(KafkaProducer&&) noexcept;
  KafkaProducer& operator=(KafkaProducer&&) noexcept;
  ~KafkaProducer();

  /// Sends all of them and waits for the answers; returns how many of the first are stored, on all replicas that are in step.
  /// Errors, where it is none: kInvalidArgument (the first is not taken: too large), kUnavailable. Cost: one round trip, or `timeout`.
  Result<std::size_t> send(std::span<const KafkaMessage> messages);

 private:
  struct Impl;
  explicit KafkaProducer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace moru::edge
