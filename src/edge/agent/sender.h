// SPDX-License-Identifier: Apache-2.0
// Carries records from the outbox to the hub: at once when there are new ones, again when no answer comes.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "core/clock.h"
#include "core/result.h"
#include "edge/streams/outbox.h"
#include "wire/messages.h"

namespace moru::edge {

struct SenderOptions {
  std::size_t max_records = 200;       ///< in a batch
  std::size_t max_bytes = 64U << 10U;  ///< of bodies in a batch (one record may be more)
  std::size_t window = 4;              ///< batches without an answer
  TimeNs answer_limit = 2 * kSecond;   ///< then everything without an answer is sent again
};

/// One thread. Threads: all functions from any thread.
class Sender {
 public:
  /// Hands a message to the network; kUnavailable when there is none.
  using Publish = std::function<Status(const wire::RecordBatch& batch)>;

  /// `outbox` belongs to the stream of that name. Begins when connected(true) is called.
  Sender(SenderOptions options, Clock& clock, std::shared_ptr<Outbox> outbox, std::string stream, Publish publish);
  ~Sender();
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  /// Ends the thread: nothing is published any more. The other functions may still be called.
  void stop();
  /// After a lost connection nothing counts as sent.
  void connected(bool up);
  /// The hub has stored everything up to `ack.sequence`. Answers for other streams are ignored.
  void acknowledged(const wire::Ack& ack);
  /// Waits until everything durable is stored at the hub; false when the timeout passes or there is no connection.
  bool flush(TimeNs timeout);

 private:
  struct InFlight {
    std::uint64_t last = 0;
    TimeNs sent = 0;
  };
  void run();
  bool may_send();
  void take_answers(std::uint64_t answered);
  TimeNs answer_deadline() const;
  void begin_again();
  Status send_next();
  void pause(TimeNs duration);

  const SenderOptions options_;
  Clock& clock_;
  const std::shared_ptr<Outbox> outbox_;
  const std::string stream_;
  const Publish publish_;

  // Only the thread:
  std::deque<InFlight> in_flight_;
  std::uint64_t sent_ = 0;

  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  bool connected_ = false;
  bool reset_ = false;
  std::uint64_t answered_ = 0;
  std::thread thread_;  // last
};

}  // namespace moru::edge
