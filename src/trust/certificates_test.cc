// SPDX-License-Identifier: Apache-2.0
#include "trust/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "trust/openssl.h"

namespace moru::trust {
namespace {

using ::testing::HasSubstr;

class CertificatesTest : public ::testing::Test {
 protected:
  CertificateAuthority make_ca(const char* name = "ca") {
    auto ca = CertificateAuthority::load_or_create(folder_.path() / name);
    EXPECT_TRUE(ca) << ca.error().message;
    return std::move(*ca);
  }
  TempFolder folder_ = std::move(*TempFolder::create("moru-certificates"));
};

using StorePtr = std::unique_ptr<X509_STORE, openssl::Deleter<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, openssl::Deleter<X509_STORE_CTX_free>>;

/// X509_V_OK, or why the chain is not good for the purpose and name.
std::string verify_chain(const std::string& ca_pem, const std::string& pem, int purpose, const char* ip = nullptr,
                         const char* dns = nullptr) {
  const auto ca = openssl::read_certificate(ca_pem, "ca");
  const auto leaf = openssl::read_certificate(pem, "leaf");
  const StorePtr store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), ca->get());
  const StoreContextPtr context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), leaf->get(), nullptr);
  X509_VERIFY_PARAM* param = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_purpose(param, purpose);
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
  if (ip != nullptr) X509_VERIFY_PARAM_set1_ip_asc(param, ip);
  if (dns != nullptr) X509_VERIFY_PARAM_set1_host(param, dns, 0);
  X509_verify_cert(context.get());
  return X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
}

TEST_F(CertificatesTest, ServerCertificateIsGoodForItsNamesOnly) {
  const auto ca = make_ca();
  const auto server = ca.issue_server("hub", {"127.0.0.1", "localhost", "::1"});
  ASSERT_TRUE(server) << server.error().message;
  const std::string& pem = server->certificate_pem;
  EXPECT_EQ(verify_chain(ca.certificate_pem(), pem, X509_PURPOSE_SSL_SERVER, "127.0.0.1"), "ok");
  EXPECT_EQ(verify_chain(ca.certificate_pem(), pem, X509_PURPOSE_SSL_SERVER, "::1"), "ok");
  EXPECT_EQ(verify_chain(ca.certificate_pem(), pem, X509_PURPOSE_SSL_SERVER, nullptr, "localhost"), "ok");
  EXPECT_NE(verify_chain(ca.certificate_pem(), pem, X509_PURPOSE_SSL_SERVER, "127.0.0.2"), "ok");
  EXPECT_NE(verify_chain(ca.certificate_pem(), pem, X509_PURPOSE_SSL_SERVER, nullptr, "example.org"), "ok");
  EXPECT_NE(verify_chain(ca.certificate_pem(), pem, X509_PURPOSE_SSL_CLIENT), "ok") << "a server's certificate is no client's";
  EXPECT_NE(verify_chain(make_ca("other").certificate_pem(), pem, X509_PURPOSE_SSL_SERVER), "ok");
}

TEST_F(CertificatesTest, ClientCertificateCarriesTheNameTheCaChose) {
  const auto ca = make_ca();
  const auto request = make_request("i-want-to-be-admin");
  ASSERT_TRUE(request);
  const auto pem = ca.issue_client(request->request_pem, "node-1");
  ASSERT_TRUE(pem) << pem.error().message;
  EXPECT_EQ(verify_chain(ca.certificate_pem(), *pem, X509_PURPOSE_SSL_CLIENT), "ok");
  EXPECT_NE(verify_chain(ca.certificate_pem(), *pem, X509_PURPOSE_SSL_SERVER), "ok");
  const auto certificate = openssl::read_certificate(*pem, "client");
  std::array<char, 80> name{};
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate->get()), NID_commonName, name.data(), static_cast<int>(name.size()));
  EXPECT_STREQ(name.data(), "node-1");
  const auto key = openssl::read_private_key(request->key_pem, "key");
  EXPECT_EQ(X509_check_private_key(certificate->get(), key->get()), 1);
}

TEST_F(CertificatesTest, SerialsDiffer) {
  const auto ca = make_ca();
  const auto a = openssl::read_certificate(ca.issue_server("hub", {"127.0.0.1"})->certificate_pem, "a");
  const auto b = openssl::read_certificate(ca.issue_server("hub", {"127.0.0.1"})->certificate_pem, "b");
  EXPECT_NE(ASN1_INTEGER_cmp(X509_get0_serialNumber(a->get()), X509_get0_serialNumber(b->get())), 0);
  EXPECT_LE(ASN1_STRING_length(X509_get0_serialNumber(a->get())), 20);
}

TEST_F(CertificatesTest, ValidityBeginsAnHourBackAndEndsWhenAsked) {
  const auto ca = make_ca();
  const auto server = ca.issue_server("hub", {"127.0.0.1"}, 10);
  const auto certificate = openssl::read_certificate(server->certificate_pem, "server");
  int days = 0;
  int seconds = 0;
  ASSERT_EQ(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate->get()), X509_get0_notAfter(certificate->get())), 1);
  EXPECT_EQ(days, 10);
  EXPECT_NEAR(seconds, 3600, 2);
  const auto expiry = certificate_expiry(server->certificate_pem, "server");
  ASSERT_TRUE(expiry);
  const TimeNs expected = system_clock().wall_now() + 10 * 86'400 * kSecond;
  EXPECT_LT(std::abs(*expiry - expected), 60 * kSecond);
}

TEST_F(CertificatesTest, TheCaStaysTheSameAndItsKeyIsPrivate) {
  const auto first = make_ca();
  const auto second = make_ca();
  EXPECT_EQ(first.fingerprint(), second.fingerprint());
  EXPECT_EQ(first.fingerprint().size(), 64U);
  EXPECT_EQ(first.fingerprint(), *certificate_fingerprint(first.certificate_pem(), "ca"));
  struct stat info{};
  ASSERT_EQ(::stat((folder_.path() / "ca/ca-key.pem").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
}

TEST_F(CertificatesTest, AKeyWithoutItsCertificateIsCompleted) {
  const auto first = make_ca();
  std::filesystem::remove(folder_.path() / "ca/ca.pem");
  const auto second = make_ca();
  EXPECT_TRUE(second.issue_server("hub", {"127.0.0.1"}));
}

TEST_F(CertificatesTest, ALostOrOpenOrForeignCaKeyIsRefused) {
  make_ca();
  const Path key = folder_.path() / "ca/ca-key.pem";
  ASSERT_EQ(::chmod(key.c_str(), 0644), 0);
  auto open_key = CertificateAuthority::load_or_create(folder_.path() / "ca");
  ASSERT_FALSE(open_key);
  EXPECT_THAT(open_key.error().message, HasSubstr("chmod 600"));

  make_ca("other");
  std::filesystem::copy_file(folder_.path() / "other/ca-key.pem", key, std::filesystem::copy_options::overwrite_existing);
  ASSERT_EQ(::chmod(key.c_str(), 0600), 0);
  auto foreign = CertificateAuthority::load_or_create(folder_.path() / "ca");
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message, HasSubstr("does not belong"));

  std::filesystem::remove(key);
  auto lost = CertificateAuthority::load_or_create(folder_.path() / "ca");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(key)) << "a lost key is not silently replaced";
}

TEST_F(CertificatesTest, RefusesBadRequests) {
  const auto ca = make_ca();
  for (const std::string& text : {std::string(), std::string("garbage"), std::string("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"),
                                  ca.certificate_pem(), std::string(100'000, 'A')}) {
    const auto result = ca.issue_client(text, "node");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  }
}

std::string request_with(EVP_PKEY* shown, EVP_PKEY* signer) {
  const openssl::RequestPtr request(X509_REQ_new());
  X509_REQ_set_pubkey(request.get(), shown);
  X509_REQ_sign(request.get(), signer, EVP_sha256());
  const openssl::BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), request.get());
  return openssl::contents(bio.get());
}

TEST_F(CertificatesTest, RefusesARequestForSomebodyElsesKey) {
  const auto ca = make_ca();
  const openssl::KeyPtr mine(EVP_EC_gen("P-256"));
  const openssl::KeyPtr theirs(EVP_EC_gen("P-256"));
  EXPECT_TRUE(ca.issue_client(request_with(mine.get(), mine.get()), "node"));
  const auto result = ca.issue_client(request_with(theirs.get(), mine.get()), "node");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("signature"));
}

TEST_F(CertificatesTest, RefusesOtherKeyTypes) {
  const auto ca = make_ca();
  const openssl::KeyPtr p384(EVP_EC_gen("P-384"));
  const auto result = ca.issue_client(request_with(p384.get(), p384.get()), "node");
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, HasSubstr("P-256"));
}

TEST_F(CertificatesTest, RefusesBadNamesAndTimes) {
  const auto ca = make_ca();
  EXPECT_FALSE(ca.issue_server("hub", {}));
  EXPECT_FALSE(ca.issue_server("hub", {"a b"}));
  EXPECT_FALSE(ca.issue_server("hub", {"127.0.0.1,DNS:evil"}));
  EXPECT_FALSE(ca.issue_server("", {"127.0.0.1"}));
  EXPECT_FALSE(ca.issue_server(std::string(65, 'a'), {"127.0.0.1"}));
  EXPECT_FALSE(ca.issue_server("hub", {"127.0.0.1"}, 0));
  EXPECT_FALSE(ca.issue_server("hub", {"127.0.0.1"}, 100'000));
  EXPECT_FALSE(make_request("a\nb"));
  EXPECT_FALSE(certificate_fingerprint("garbage", "x"));
  EXPECT_FALSE(certificate_expiry("", "x"));
}

}  // namespace
}  // namespace moru::trust
