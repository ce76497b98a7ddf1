// SPDX-License-Identifier: Apache-2.0
// Ed25519 (RFC 8032) keys for releases.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/files.h"
#include "core/result.h"

namespace moru::trust {

/// A public key. Cheap to copy. Threads: read-only, shared freely.
class PublicKey {
 public:
  static Result<PublicKey> from_pem(std::string_view pem, std::string_view where);
  std::string to_pem() const;
  /// First 16 hexadecimal digits of the SHA-256 of the raw key: names it in messages.
  std::string id() const;
  /// kCorrupt when the signature is not this key's over this message.
  Status verify(std::string_view message, std::string_view signature) const;

 private:
  friend class SigningKey;
  std::string raw_;
};

/// A private key. The bytes are wiped when the object dies.
class SigningKey {
 public:
  static Result<SigningKey> generate();
  /// kNotFound when there is no such file; kInvalidArgument when others may read it (mode wider than 0600).
  static Result<SigningKey> load(const Path& pem);
  /// PEM (PKCS #8), mode 0600.
  Status save(const Path& pem) const;
  /// Loads the key, or makes and saves one at first use.
  static Result<SigningKey> load_or_create(const Path& pem);
  Result<std::string> sign(std::string_view message) const;
  PublicKey public_key() const;
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

 private:
  SigningKey();
  struct Secret;
  std::unique_ptr<Secret> secret_;
};

/// kCorrupt, naming the known keys' ids, unless one of them made the signature.
Status verify_with_any(const std::vector<PublicKey>& keys, std::string_view message, std::string_view signature);

}  // namespace moru::trust
