// SPDX-License-Identifier: Apache-2.0
// The agent of a node: runs a stream with the release it has, takes new ones from the hub, and sends what the stream
// found. Needs the hub for nothing that is on disk already.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/clock.h"
#include "core/result.h"
#include "edge/agent/home.h"
#include "edge/streams/observation.h"

namespace moru::edge {

struct AgentOptions {
  Path home;
  Path stream_file;
  std::map<std::string, std::string> parameters;  ///< for ${name} in the stream file
  std::string version;
  ObservationOptions seen = {};  ///< what others see of the stream
};

class Agent {
 public:
  /// Everything that is wrong on this machine is found here (identity, stream file, outbox); a hub that does not answer is
  /// not an error.
  static Result<std::unique_ptr<Agent>> start(const AgentOptions& options);
  /// Stops as stop() does.
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// Publishes and writes down the state where that is due; returns when it is due again (steady clock). Call it in a
  /// loop from one thread.
  TimeNs tick();
  /// Ends the stream, lets records out that are still on their way (at most 2 s), and says good-bye.
  void stop();

 private:
  Agent();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The last state that an agent of this home wrote, as JSON text. kNotFound when none ever ran.
Result<std::string> read_status(const HomePaths& paths);

}  // namespace moru::edge
