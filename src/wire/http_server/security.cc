// SPDX-License-Identifier: Apache-2.0
#include "wire/http_server/security.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

#include "core/json.h"
#include "wire/http_server/http_server.h"

namespace moru::wire::server {
namespace {

/// On every answer. The page takes nothing from elsewhere, and nobody may frame it.
constexpr std::pair<const char*, const char*> kSecurityHeaders[] = {
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Frame-Options", "DENY"},
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
     "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
};

}  // namespace

std::span<const std::pair<const char*, const char*>> security_headers() { return kSecurityHeaders; }

std::string common_name_of_peer(ssl_st* connection) {
  std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(connection), &X509_free);
  if (!certificate || SSL_get_verify_result(connection) != X509_V_OK) return {};
  const X509_NAME* subject = X509_get_subject_name(certificate.get());
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return {};
  const ASN1_STRING* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)), static_cast<std::size_t>(ASN1_STRING_length(value))};
}

void allow_resumption(ssl_ctx_st* context) {
  constexpr unsigned char kName[] = "moru-hub";
  SSL_CTX_set_session_id_context(context, kName, sizeof kName - 1);
}

HttpResponse http_error(int status, std::string_view sentence) {
  HttpResponse response;
  response.status = status;
  response.body = Json{{"error", sentence}}.dump(-1, ' ', false, Json::error_handler_t::replace);
  return response;
}

}  // namespace moru::wire::server
