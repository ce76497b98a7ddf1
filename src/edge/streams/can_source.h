// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/descriptor.h"
#include "edge/streams/can_frame.h"
#include "edge/streams/signals.h"
#include "edge/streams/stage.h"

namespace moru::edge {

struct CanOptions {
  struct Message {
    CanId id;
    std::string name;
    std::vector<Signal> signals;
  };
  std::string interface = {};
  bool fd = false;
  std::vector<Message> messages = {};
  std::int64_t items = 0;
};

/// A source of the messages that come out of a socket, which `open` makes whenever it is needed: one on a CAN interface, or anything else
/// that delivers such frames.
std::unique_ptr<SourceStage> make_can_source(CanOptions options, std::function<Result<Descriptor>()> open);

}  // namespace moru::edge
