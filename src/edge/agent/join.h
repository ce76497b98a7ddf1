// SPDX-License-Identifier: Apache-2.0
// How a node becomes a member: a token from the operator in, a certificate of its own out.
#pragma once

#include <string>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"
#include "edge/agent/home.h"

namespace moru::edge {

struct JoinOptions {
  std::string token;
  std::string name;
  Path home;
  TimeNs timeout = 30 * kSecond;  ///< of each request
};

/// Fetches the hub's CA certificate, compares it with the token's fingerprint before anything else is said, sends a
/// request for a certificate over TLS checked with that CA, and writes the home folder. A home that has joined before
/// gets its new identity; what it runs stays.
/// Errors: kInvalidArgument (token garbled, expired, used; name), kCorrupt (another CA answers there), kUnavailable (no
/// hub there), kIo. Nothing of an earlier identity is changed when it fails before the hub has answered.
Result<NodeIdentity> join_hub(const JoinOptions& options);

}  // namespace moru::edge
