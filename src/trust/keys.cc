// SPDX-License-Identifier: Apache-2.0
#include "trust/keys.h"

#include <fmt/format.h>
#include <openssl/pem.h>

#include "core/check.h"
#include "core/digest.h"
#include "trust/openssl.h"

namespace moru::trust {
namespace {

constexpr std::size_t kRawKeyBytes = 32;
constexpr std::size_t kSignatureBytes = 64;

std::unexpected<Error> wrong_type(std::string_view where, const EVP_PKEY* key) {
  const char* type = EVP_PKEY_get0_type_name(key);
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: found a key of type {}, expected Ed25519", where, type != nullptr ? type : "unknown"));
}

Result<std::string> raw_public_key(const EVP_PKEY* key, std::string_view where) {
  if (EVP_PKEY_is_a(key, "ED25519") != 1) return wrong_type(where, key);
  std::string raw(kRawKeyBytes, '\0');
  std::size_t size = raw.size();
  if (EVP_PKEY_get_raw_public_key(key, reinterpret_cast<unsigned char*>(raw.data()), &size) != 1 || size != kRawKeyBytes) {
    return openssl::internal(where);
  }
  return raw;
}

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

Result<PublicKey> PublicKey::from_pem(std::string_view pem, std::string_view where) {
  const openssl::BioPtr bio = openssl::reader(pem);
  const openssl::KeyPtr key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  if (key == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found no usable public key ({}), expected PEM", where, openssl::last_error()));
  }
  PublicKey result;
  MORU_ASSIGN_OR_RETURN(result.raw_, raw_public_key(key.get(), where));
  return result;
}

std::string PublicKey::to_pem() const {
  const openssl::KeyPtr key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(raw_), raw_.size()));
  const openssl::BioPtr bio(BIO_new(BIO_s_mem()));
  MORU_CHECK(key != nullptr && bio != nullptr && PEM_write_bio_PUBKEY(bio.get(), key.get()) == 1);
  return openssl::contents(bio.get());
}

std::string PublicKey::id() const { return sha256_hex(raw_).substr(0, 16); }

Status PublicKey::verify(std::string_view message, std::string_view signature) const {
  if (signature.size() != kSignatureBytes) {
    return fail(ErrorCode::kCorrupt, fmt::format("signature: found {} bytes, expected {}", signature.size(), kSignatureBytes));
  }
  const openssl::KeyPtr key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(raw_), raw_.size()));
  const openssl::DigestContextPtr context(EVP_MD_CTX_new());
  if (key == nullptr || context == nullptr || EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1) {
    return openssl::internal("verify a signature");
  }
  if (EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message), message.size()) != 1) {
    openssl::last_error();
    return fail(ErrorCode::kCorrupt, fmt::format("signature: found one that is not of key {} over these bytes, expected it to be", id()));
  }
  return {};
}

struct SigningKey::Secret {
  openssl::KeyPtr key;  // OpenSSL wipes the bytes when it frees an Ed25519 key
  PublicKey public_key;
};

SigningKey::SigningKey() : secret_(std::make_unique<Secret>()) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

Result<SigningKey> SigningKey::generate() {
  SigningKey result;
  result.secret_->key.reset(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (result.secret_->key == nullptr) return openssl::internal("make a signing key");
  MORU_ASSIGN_OR_RETURN(result.secret_->public_key.raw_, raw_public_key(result.secret_->key.get(), "make a signing key"));
  return result;
}

Result<SigningKey> SigningKey::load(const Path& pem) {
  const std::string where = fmt::format("key '{}'", pem.string());
  MORU_ASSIGN_OR_RETURN(const openssl::SecretText text, openssl::read_private_file(pem));
  SigningKey result;
  MORU_ASSIGN_OR_RETURN(result.secret_->key, openssl::read_private_key(text.text(), where));
  MORU_ASSIGN_OR_RETURN(result.secret_->public_key.raw_, raw_public_key(result.secret_->key.get(), where));
  return result;
}

Status SigningKey::save(const Path& pem) const {
  MORU_ASSIGN_OR_RETURN(std::string text, openssl::write_private_key(secret_->key.get()));
  const openssl::SecretText secret(std::move(text));
  return write_file_atomic(pem, secret.text(), 0600);
}

Result<SigningKey> SigningKey::load_or_create(const Path& pem) {
  auto loaded = load(pem);
  if (loaded || loaded.error().code != ErrorCode::kNotFound) return loaded;
  MORU_RETURN_IF_ERROR(make_folders(pem.parent_path(), 0700));
  MORU_ASSIGN_OR_RETURN(SigningKey key, generate());
  MORU_RETURN_IF_ERROR(key.save(pem));
  return key;
}

Result<std::string> SigningKey::sign(std::string_view message) const {
  const openssl::DigestContextPtr context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  std::size_t size = signature.size();
  if (context == nullptr || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, secret_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes_of(message), message.size()) != 1 ||
      size != kSignatureBytes) {
    return openssl::internal("sign");
  }
  return signature;
}

PublicKey SigningKey::public_key() const { return secret_->public_key; }

Status verify_with_any(const std::vector<PublicKey>& keys, std::string_view message, std::string_view signature) {
  std::string known;
  for (const PublicKey& key : keys) {
    if (key.verify(message, signature)) return {};
    known += known.empty() ? key.id() : ", " + key.id();
  }
  if (keys.empty()) return fail(ErrorCode::kCorrupt, "signature: found no trusted key to check it with, expected at least one");
  return fail(ErrorCode::kCorrupt, fmt::format("signature: found one that no trusted key made, expected one of key {}", known));
}

}  // namespace moru::trust
