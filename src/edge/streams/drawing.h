// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "core/result.h"
#include "edge/streams/stream.h"

namespace moru::edge {

/// The stream as an SVG picture, from left to right: a box a stage, a line a link (thin where both ends share a thread, else thick
/// with its queue and policy, and with the rate that is known of its items); the pointer on a box shows the fields that leave it. Errors:
/// those of bind_stages().
Result<std::string> draw_stream(const StreamSpec& spec);

}  // namespace moru::edge
