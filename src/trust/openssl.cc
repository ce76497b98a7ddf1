// SPDX-License-Identifier: Apache-2.0
#include "trust/openssl.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

namespace moru::trust::openssl {
namespace {

constexpr std::size_t kMaxPemBytes = 64 * 1024;

/// OpenSSL's default would ask on the terminal.
int no_pass_phrase(char*, int, int, void*) { return -1; }

Result<SecretText> read_checked(int fd, const Path& path) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return fail(errno_error("stat", path));
  if (!S_ISREG(info.st_mode)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("key '{}': found no regular file, expected one", path.string()));
  }
  if ((info.st_mode & 077U) != 0) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("key '{}': found mode {:04o}, expected 0600 so that nobody else can read it; run chmod 600 on it "
                            "and think about who may have seen it",
                            path.string(), info.st_mode & 07777U));
  }
  if (static_cast<std::uint64_t>(info.st_size) > kMaxPemBytes) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("key '{}': found {} bytes, expected at most {}", path.string(), info.st_size, kMaxPemBytes));
  }
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = ::read(fd, text.data() + done, text.size() - done);
    if (got < 0) return fail(errno_error("read", path));
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  text.resize(done);
  return SecretText(std::move(text));
}

}  // namespace

SecretText::~SecretText() { OPENSSL_cleanse(text_.data(), text_.size()); }

Result<SecretText> read_private_file(const Path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fail(errno_error("open", path));
  auto result = read_checked(fd, path);
  ::close(fd);
  return result;
}

std::string last_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "no reason given";
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : fmt::format("error {:x}", code);
}

std::unexpected<Error> internal(std::string_view where) {
  return fail(ErrorCode::kInternal, fmt::format("{}: OpenSSL says '{}', expected success", where, last_error()));
}

BioPtr reader(std::string_view text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(std::min(text.size(), kMaxPemBytes)))); }

std::string contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

Result<KeyPtr> read_private_key(std::string_view pem, std::string_view where) {
  const BioPtr bio = reader(pem);
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (key == nullptr) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: found no usable private key ({}), expected PEM without a pass phrase", where, last_error()));
  }
  return key;
}

Result<std::string> write_private_key(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (bio == nullptr || PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return internal("write a private key");
  }
  return contents(bio.get());
}

Result<CertificatePtr> read_certificate(std::string_view pem, std::string_view where) {
  const BioPtr bio = reader(pem);
  CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, nullptr));
  if (certificate == nullptr) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: found no usable certificate ({}), expected PEM", where, last_error()));
  }
  return certificate;
}

}  // namespace moru::trust::openssl
