// SPDX-License-Identifier: Apache-2.0
// Owners and small helpers for OpenSSL 3, for the files of this room only.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/files.h"
#include "core/result.h"

namespace moru::trust::openssl {

template <auto kFree>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;
using NamePtr = std::unique_ptr<X509_NAME, Deleter<X509_NAME_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;

/// Text that is overwritten when the object dies. For private keys on their way to and from files.
class SecretText {
 public:
  explicit SecretText(std::string text) : text_(std::move(text)) {}
  SecretText(SecretText&& other) noexcept : text_(std::move(other.text_)) { other.text_.clear(); }
  SecretText& operator=(SecretText&&) = delete;
  ~SecretText();
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// Reads a private file of at most 64 KiB. kInvalidArgument when others than the owner may read or write it.
Result<SecretText> read_private_file(const Path& path);

/// What went wrong in OpenSSL's own words (never data), and empties its queue.
std::string last_error();
/// kInternal: an operation of our own that cannot fail but for lack of memory did fail.
std::unexpected<Error> internal(std::string_view where);

BioPtr reader(std::string_view text);
/// The bytes written to a memory BIO.
std::string contents(BIO* bio);

/// Private key from PEM; an encrypted one is refused (nobody is asked for a pass phrase). `where` begins messages.
Result<KeyPtr> read_private_key(std::string_view pem, std::string_view where);
/// PKCS #8.
Result<std::string> write_private_key(EVP_PKEY* key);
Result<CertificatePtr> read_certificate(std::string_view pem, std::string_view where);

}  // namespace moru::trust::openssl
