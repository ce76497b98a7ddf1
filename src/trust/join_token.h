// SPDX-License-Identifier: Apache-2.0
// What an operator gives to a new node: where the hub is, which CA it has, and a secret that works once.
#pragma once

#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"

namespace moru::trust {

struct JoinToken {
  std::string hub_url;         ///< "https://127.0.0.1:8443"
  std::string ca_fingerprint;  ///< SHA-256, hexadecimal
  std::string id;              ///< public part; the hub finds it by this
  std::string secret;          ///< 32 random bytes, hexadecimal; the hub keeps only its SHA-256
  TimeNs expires = 0;          ///< wall clock
};

/// A token with new random id and secret.
Result<JoinToken> make_token(std::string hub_url, std::string ca_fingerprint, TimeNs expires);
/// One line of text: "moru1." and base64url.
std::string write_token(const JoinToken& token);
/// Untrusted text; kInvalidArgument says what is wrong without printing the secret.
Result<JoinToken> read_token(std::string_view text);
/// `count` random bytes from the operating system, hexadecimal.
Result<std::string> random_hex(int count);

}  // namespace moru::trust
