// SPDX-License-Identifier: Apache-2.0
// X.509 for hub and nodes: the hub is its own certificate authority; nodes make their key, send a request and get a
// certificate back. Keys are ECDSA P-256; everything is PEM.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/files.h"
#include "core/result.h"

namespace moru::trust {

struct KeyAndCertificate {
  std::string key_pem;
  std::string certificate_pem;
};

class CertificateAuthority {
 public:
  /// Loads ca.pem and ca-key.pem (0600) from the folder, or makes them at first use (10 years).
  static Result<CertificateAuthority> load_or_create(const Path& folder);
  const std::string& certificate_pem() const { return certificate_pem_; }
  /// SHA-256 of the certificate (DER), hexadecimal: what a join token carries.
  const std::string& fingerprint() const { return fingerprint_; }
  /// A key and certificate for a server reached under `names` (DNS names and IP addresses), valid `days`.
  Result<KeyAndCertificate> issue_server(const std::string& common_name, const std::vector<std::string>& names, int days = 90) const;
  /// A client certificate for the request's key, with `common_name` (the request's own name is ignored).
  Result<std::string> issue_client(std::string_view request_pem, const std::string& common_name, int days = 90) const;

 private:
  std::string key_pem_;
  std::string certificate_pem_;
  std::string fingerprint_;
};

struct KeyAndRequest {
  std::string key_pem;
  std::string request_pem;
};
Result<KeyAndRequest> make_request(const std::string& common_name);

/// SHA-256 of a PEM certificate's DER, hexadecimal.
Result<std::string> certificate_fingerprint(std::string_view pem, std::string_view where);
/// When it expires, wall-clock nanoseconds.
Result<TimeNs> certificate_expiry(std::string_view pem, std::string_view where);

}  // namespace moru::trust
