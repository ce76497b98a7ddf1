// SPDX-License-Identifier: Apache-2.0
// The messages of QoS 1 and 2 that a broker has sent and that are not answered: which of them are new, and what is answered when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_set>

#include "core/result.h"
#include "wire/mqtt_packet.h"

namespace moru::wire::mqtt {

/// Outlives connections. Answers are appended to `out`, in the order in which the messages came (3.1.1, 4.6), however they are stored.
class Deliveries {
 public:
  /// A connection is up. When the broker has not kept the session, it waits for no answer of before.
  void begin(bool session_present);
  void end() { open_ = false; }

  /// The number of a message that is to be handed over; 0 when it comes again, and whoever got it before still has it.
  Result<std::uint64_t> arrive(const Publish& publish, std::string& out);
  /// It is stored. A number of an earlier session is ignored.
  void acknowledge(std::uint64_t delivery, std::string& out);
  /// It was lost on its way: when the broker sends it again, it is handed over again.
  void give_back(std::uint64_t delivery);
  /// QoS 2: PUBREL has come.
  void release(std::uint16_t id, std::string& out);
  /// Messages without an answer.
  std::size_t size() const { return messages_.size(); }

 private:
  struct Message {
    std::uint16_t id = 0;  ///< 0: the broker waits for no answer
    std::uint8_t qos = 0;
    bool stored = false;  ///< acknowledge() was called
    bool arrived = true;  ///< by this connection: only then is it answered on it
    bool lost = false;    ///< give_back() was called
  };
  bool came_before(const Publish& publish);
  Message* find(std::uint64_t delivery);
  void answer(std::string& out);

  bool open_ = false;
  std::deque<Message> messages_;               // in the order of arrival
  std::uint64_t first_ = 1;                    // number of its first
  std::size_t resumed_ = 0;                    // where among them the next one is sought that comes again
  std::unordered_set<std::uint16_t> halfway_;  // QoS 2: PUBREC was sent, PUBREL is to come
};

}  // namespace moru::wire::mqtt
