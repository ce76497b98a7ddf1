// SPDX-License-Identifier: Apache-2.0
// X.509 profile: RFC 5280. Server names go into subjectAltName only by what they are: an IP address or a DNS name.
#include "trust/certificates.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/pem.h>

#include <array>
#include <ctime>

#include "core/digest.h"
#include "trust/openssl.h"

namespace moru::trust {
namespace {

using openssl::CertificatePtr;
using openssl::KeyPtr;

constexpr long kDaySeconds = 86'400;
constexpr int kCaDays = 3650;
constexpr int kMaxLeafDays = 825;
constexpr std::size_t kMaxRequestBytes = 16 * 1024;

Result<KeyPtr> make_key() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (key == nullptr) return openssl::internal("make a key");
  return key;
}

template <class Write>
Result<std::string> to_pem(std::string_view where, const Write& write) {
  const openssl::BioPtr bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || write(bio.get()) != 1) return openssl::internal(where);
  return openssl::contents(bio.get());
}

Result<std::string> certificate_to_pem(X509* certificate) {
  return to_pem("write a certificate", [&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

Status check_common_name(const std::string& name) {
  bool good = !name.empty() && name.size() <= 64;  // ub-common-name of RFC 5280
  for (const char c : name) good = good && c >= ' ' && c <= '~';
  if (!good)
    return fail(ErrorCode::kInvalidArgument,
                "certificate: found a common name that is empty, too long or not plain ASCII, expected 1 to 64 characters");
  return {};
}

Result<openssl::NamePtr> make_name(const std::string& common_name) {
  MORU_RETURN_IF_ERROR(check_common_name(common_name));
  openssl::NamePtr name(X509_NAME_new());
  if (name == nullptr ||
      X509_NAME_add_entry_by_txt(name.get(), "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(common_name.c_str()),
                                 static_cast<int>(common_name.size()), -1, 0) != 1) {
    return openssl::internal("certificate name");
  }
  return name;
}

/// 127 random bits: positive, and within the 20 octets of RFC 5280.
Status set_random_serial(X509* certificate) {
  const openssl::NumberPtr number(BN_new());
  if (number == nullptr || BN_rand(number.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr) {
    return openssl::internal("certificate serial");
  }
  return {};
}

struct Extension {
  int nid;
  const char* value;
};

Status add_extensions(X509* certificate, X509* issuer, std::initializer_list<Extension> extensions) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  for (const Extension& wanted : extensions) {
    const openssl::ExtensionPtr extension(X509V3_EXT_nconf_nid(nullptr, &context, wanted.nid, wanted.value));
    if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1) return openssl::internal("certificate extension");
  }
  return {};
}

bool valid_dns_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  return name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == std::string_view::npos;
}

Result<GENERAL_NAME*> make_general_name(const std::string& name) {
  std::array<unsigned char, 16> address{};
  int address_bytes = 0;
  if (::inet_pton(AF_INET, name.c_str(), address.data()) == 1) address_bytes = 4;
  if (address_bytes == 0 && ::inet_pton(AF_INET6, name.c_str(), address.data()) == 1) address_bytes = 16;
  if (address_bytes == 0 && !valid_dns_name(name)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("server certificate: found name '{}', expected a DNS name or an IP address", name));
  }
  GENERAL_NAME* entry = GENERAL_NAME_new();
  ASN1_STRING* value = ASN1_STRING_type_new(address_bytes > 0 ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
  const bool set = entry != nullptr && value != nullptr &&
                   (address_bytes > 0 ? ASN1_STRING_set(value, address.data(), address_bytes)
                                      : ASN1_STRING_set(value, name.data(), static_cast<int>(name.size()))) == 1;
  if (!set) {
    GENERAL_NAME_free(entry);
    ASN1_STRING_free(value);
    return openssl::internal("server certificate name");
  }
  GENERAL_NAME_set0_value(entry, address_bytes > 0 ? GEN_IPADD : GEN_DNS, value);
  return entry;
}

Status add_alternative_names(X509* certificate, const std::vector<std::string>& names) {
  const openssl::GeneralNamesPtr list(GENERAL_NAMES_new());
  if (list == nullptr) return openssl::internal("server certificate names");
  for (const std::string& name : names) {
    MORU_ASSIGN_OR_RETURN(GENERAL_NAME * entry, make_general_name(name));
    if (sk_GENERAL_NAME_push(list.get(), entry) <= 0) {
      GENERAL_NAME_free(entry);
      return openssl::internal("server certificate names");
    }
  }
  if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 0, X509V3_ADD_DEFAULT) != 1) {
    return openssl::internal("server certificate names");
  }
  return {};
}

/// Version 3, serial, subject, key and validity; neither issuer nor extensions nor signature yet.
Result<CertificatePtr> make_certificate(EVP_PKEY* key, const std::string& common_name, int days) {
  CertificatePtr certificate(X509_new());
  if (certificate == nullptr || X509_set_version(certificate.get(), X509_VERSION_3) != 1) return openssl::internal("make a certificate");
  MORU_RETURN_IF_ERROR(set_random_serial(certificate.get()));
  MORU_ASSIGN_OR_RETURN(const openssl::NamePtr name, make_name(common_name));
  // An hour back, so that a node whose clock is a little late takes it.
  if (X509_set_subject_name(certificate.get(), name.get()) != 1 || X509_set_pubkey(certificate.get(), key) != 1 ||
      X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600) == nullptr ||
      X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * kDaySeconds) == nullptr) {
    return openssl::internal("make a certificate");
  }
  return certificate;
}

Status sign(X509* certificate, EVP_PKEY* key) {
  if (X509_sign(certificate, key, EVP_sha256()) == 0) return openssl::internal("sign a certificate");
  return {};
}

Result<std::string> make_ca_certificate(EVP_PKEY* key) {
  MORU_ASSIGN_OR_RETURN(const CertificatePtr certificate, make_certificate(key, "Moru hub CA", kCaDays));
  X509* const ca = certificate.get();
  if (X509_set_issuer_name(ca, X509_get_subject_name(ca)) != 1) return openssl::internal("make a CA");
  MORU_RETURN_IF_ERROR(add_extensions(ca, ca,
                                      {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                                       {NID_key_usage, "critical,keyCertSign,cRLSign"},
                                       {NID_subject_key_identifier, "hash"}}));
  MORU_RETURN_IF_ERROR(sign(ca, key));
  return certificate_to_pem(ca);
}

struct Issuer {
  CertificatePtr certificate;
  KeyPtr key;
};

Result<Issuer> open_issuer(const std::string& certificate_pem, const std::string& key_pem, std::string_view where) {
  Issuer issuer;
  MORU_ASSIGN_OR_RETURN(issuer.certificate, openssl::read_certificate(certificate_pem, where));
  MORU_ASSIGN_OR_RETURN(issuer.key, openssl::read_private_key(key_pem, where));
  if (X509_check_private_key(issuer.certificate.get(), issuer.key.get()) != 1) {
    openssl::last_error();
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found a key that does not belong to the certificate, expected a pair", where));
  }
  if (X509_check_ca(issuer.certificate.get()) != 1) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found a certificate that is not a CA's, expected one", where));
  }
  if (X509_cmp_current_time(X509_get0_notAfter(issuer.certificate.get())) <= 0) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: the CA certificate has expired, expected a valid one", where));
  }
  return issuer;
}

Result<std::string> issue(const Issuer& issuer, X509* certificate, const char* key_usage) {
  if (X509_set_issuer_name(certificate, X509_get_subject_name(issuer.certificate.get())) != 1)
    return openssl::internal("issue a certificate");
  MORU_RETURN_IF_ERROR(add_extensions(certificate, issuer.certificate.get(),
                                      {{NID_basic_constraints, "critical,CA:FALSE"},
                                       {NID_key_usage, "critical,digitalSignature"},
                                       {NID_ext_key_usage, key_usage},
                                       {NID_subject_key_identifier, "hash"},
                                       {NID_authority_key_identifier, "keyid:always"}}));
  MORU_RETURN_IF_ERROR(sign(certificate, issuer.key.get()));
  return certificate_to_pem(certificate);
}

Status check_days(int days) {
  if (days >= 1 && days <= kMaxLeafDays) return {};
  return fail(ErrorCode::kInvalidArgument, fmt::format("certificate: found {} days, expected 1 to {}", days, kMaxLeafDays));
}

bool is_p256(const EVP_PKEY* key) {
  std::array<char, 64> group{};
  std::size_t size = 0;
  return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1 &&
         std::string_view(group.data(), size) == SN_X9_62_prime256v1;
}

}  // namespace

Result<CertificateAuthority> CertificateAuthority::load_or_create(const Path& folder) {
  const Path key_path = folder / "ca-key.pem";
  const Path certificate_path = folder / "ca.pem";
  const std::string where = fmt::format("CA in '{}'", folder.string());
  CertificateAuthority ca;
  std::error_code ignored;
  if (!std::filesystem::exists(key_path, ignored)) {
    if (std::filesystem::exists(certificate_path, ignored)) {
      return fail(ErrorCode::kNotFound, fmt::format("{}: found ca.pem without ca-key.pem, expected both; put the key back, or "
                                                    "remove ca.pem to begin anew (every node must then join again)",
                                                    where));
    }
    MORU_RETURN_IF_ERROR(make_folders(folder, 0700));
    MORU_ASSIGN_OR_RETURN(const KeyPtr key, make_key());
    MORU_ASSIGN_OR_RETURN(std::string pem, openssl::write_private_key(key.get()));
    const openssl::SecretText secret(std::move(pem));
    MORU_RETURN_IF_ERROR(write_file_atomic(key_path, secret.text(), 0600));
  }
  MORU_ASSIGN_OR_RETURN(const openssl::SecretText secret, openssl::read_private_file(key_path));
  ca.key_pem_ = secret.text();
  // The key is written first; a crash between the two leaves it alone, and the certificate is made now.
  if (!std::filesystem::exists(certificate_path, ignored)) {
    MORU_ASSIGN_OR_RETURN(const KeyPtr key, openssl::read_private_key(ca.key_pem_, where));
    MORU_ASSIGN_OR_RETURN(const std::string pem, make_ca_certificate(key.get()));
    MORU_RETURN_IF_ERROR(write_file_atomic(certificate_path, pem));
  }
  MORU_ASSIGN_OR_RETURN(ca.certificate_pem_, read_file(certificate_path, 64 * 1024));
  MORU_RETURN_IF_ERROR(open_issuer(ca.certificate_pem_, ca.key_pem_, where));
  MORU_ASSIGN_OR_RETURN(ca.fingerprint_, moru::trust::certificate_fingerprint(ca.certificate_pem_, where));
  return ca;
}

Result<KeyAndCertificate> CertificateAuthority::issue_server(const std::string& common_name, const std::vector<std::string>& names,
                                                             int days) const {
  MORU_RETURN_IF_ERROR(check_days(days));
  if (names.empty())
    return fail(ErrorCode::kInvalidArgument, "server certificate: found no name, expected at least one DNS name or IP address");
  MORU_ASSIGN_OR_RETURN(const Issuer issuer, open_issuer(certificate_pem_, key_pem_, "CA"));
  MORU_ASSIGN_OR_RETURN(const KeyPtr key, make_key());
  MORU_ASSIGN_OR_RETURN(const CertificatePtr certificate, make_certificate(key.get(), common_name, days));
  MORU_RETURN_IF_ERROR(add_alternative_names(certificate.get(), names));
  KeyAndCertificate result;
  MORU_ASSIGN_OR_RETURN(result.certificate_pem, issue(issuer, certificate.get(), "serverAuth"));
  MORU_ASSIGN_OR_RETURN(result.key_pem, openssl::write_private_key(key.get()));
  return result;
}

Result<std::string> CertificateAuthority::issue_client(std::string_view request_pem, const std::string& common_name, int days) const {
  MORU_RETURN_IF_ERROR(check_days(days));
  if (request_pem.size() > kMaxRequestBytes) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("certificate request: found {} bytes, expected at most {}", request_pem.size(), kMaxRequestBytes));
  }
  const openssl::BioPtr bio = openssl::reader(request_pem);
  const openssl::RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (request == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("certificate request: found no usable request ({}), expected PEM", openssl::last_error()));
  }
  EVP_PKEY* const key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr || !is_p256(key)) {
    openssl::last_error();
    return fail(ErrorCode::kInvalidArgument, "certificate request: found a key of another type, expected ECDSA P-256");
  }
  // The signature proves that the asker has the private key.
  if (X509_REQ_verify(request.get(), key) != 1) {
    openssl::last_error();
    return fail(ErrorCode::kInvalidArgument, "certificate request: found a signature that is not of its key, expected that");
  }
  MORU_ASSIGN_OR_RETURN(const Issuer issuer, open_issuer(certificate_pem_, key_pem_, "CA"));
  MORU_ASSIGN_OR_RETURN(const CertificatePtr certificate, make_certificate(key, common_name, days));
  return issue(issuer, certificate.get(), "clientAuth");
}

Result<KeyAndRequest> make_request(const std::string& common_name) {
  MORU_ASSIGN_OR_RETURN(const KeyPtr key, make_key());
  MORU_ASSIGN_OR_RETURN(const openssl::NamePtr name, make_name(common_name));
  const openssl::RequestPtr request(X509_REQ_new());
  if (request == nullptr || X509_REQ_set_subject_name(request.get(), name.get()) != 1 ||
      X509_REQ_set_pubkey(request.get(), key.get()) != 1 || X509_REQ_sign(request.get(), key.get(), EVP_sha256()) == 0) {
    return openssl::internal("make a certificate request");
  }
  KeyAndRequest result;
  MORU_ASSIGN_OR_RETURN(result.request_pem,
                        to_pem("write a certificate request", [&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, request.get()); }));
  MORU_ASSIGN_OR_RETURN(result.key_pem, openssl::write_private_key(key.get()));
  return result;
}

Result<std::string> certificate_fingerprint(std::string_view pem, std::string_view where) {
  MORU_ASSIGN_OR_RETURN(const CertificatePtr certificate, openssl::read_certificate(pem, where));
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate.get(), &der);
  if (size <= 0) return openssl::internal(where);
  std::string digest = sha256_hex({reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  return digest;
}

Result<TimeNs> certificate_expiry(std::string_view pem, std::string_view where) {
  MORU_ASSIGN_OR_RETURN(const CertificatePtr certificate, openssl::read_certificate(pem, where));
  std::tm when{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &when) != 1) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found an end of validity that is no time, expected one", where));
  }
  // Some certificates never expire ("99991231235959Z"): stay within what nanoseconds in 64 bits can say.
  constexpr TimeNs kFarSeconds = 9'000'000'000;
  return std::min<TimeNs>(static_cast<TimeNs>(::timegm(&when)), kFarSeconds) * kSecond;
}

}  // namespace moru::trust
