// SPDX-License-Identifier: Apache-2.0
// What every answer carries, and who the other side is.
#pragma once

#include <span>
#include <string>
#include <utility>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX and SSL
struct ssl_st;

namespace moru::wire::server {

/// Names and values of the headers that stand on every answer.
std::span<const std::pair<const char*, const char*>> security_headers();

/// The common name of the client certificate of this connection; empty: none was shown, or it was not verified.
std::string common_name_of_peer(ssl_st* connection);

/// Lets clients that showed a certificate resume their sessions, which OpenSSL refuses otherwise.
void allow_resumption(ssl_ctx_st* context);

}  // namespace moru::wire::server
