// SPDX-License-Identifier: Apache-2.0
#include "fleet/hub/artefacts/artefacts.h"

#include <gmock/gmock.h>

#include "core/digest.h"
#include "model/formats/bundle/bundle.h"

namespace moru::fleet {
namespace {

std::string make_bundle(std::int64_t version) {
  model::BundleHeader header;
  header.name = "line";
  header.version = version;
  header.created = "2026-11-23T10:00:00Z";
  header.card = "{}";
  header.files.push_back({.name = "model.onnx", .target = "any", .format = "onnx", .sha256 = "", .size = 0});
  const auto bytes =
      model::write_bundle(header, {"the model's bytes"}, [](std::string_view) -> Result<std::string> { return std::string(64, 's'); });
  EXPECT_TRUE(bytes) << bytes.error().message;
  return bytes.value_or("");
}

TEST(BundleLabel, IsReadWithoutTrust) {
  std::string bundle = make_bundle(3);
  auto label = read_bundle_label(bundle);
  ASSERT_TRUE(label) << label.error().message;
  EXPECT_EQ(label->name, "line");
  EXPECT_EQ(label->release, 3);
  bundle.back() = static_cast<char>(bundle.back() ^ 1);  // damage inside: nodes judge it, the hub files it away
  label = read_bundle_label(bundle);
  ASSERT_TRUE(label) << label.error().message;
  EXPECT_EQ(label->release, 3);
}

TEST(BundleLabel, RefusesWhatIsNoBundle) {
  const std::string bundle = make_bundle(3);
  for (const std::string& bytes : {std::string(), std::string("MORUBDL1"), std::string(1000, 'x'), bundle.substr(0, 40)})
    EXPECT_FALSE(read_bundle_label(bytes));
  EXPECT_FALSE(read_bundle_label(make_bundle(0)));
}

TEST(BundleLabel, SurvivesEveryFlippedByteOfTheHeader) {
  const std::string bundle = make_bundle(3);
  for (std::size_t i = 0; i < bundle.size(); ++i) {
    std::string flipped = bundle;
    flipped[i] = static_cast<char>(flipped[i] ^ 0xff);
    const auto label = read_bundle_label(flipped);
    EXPECT_TRUE(!label || label->release >= 1) << i;
  }
}

TEST(Artefacts, StoresByDigestOnce) {
  const auto folder = TempFolder::create("moru-artefacts");
  ASSERT_TRUE(folder);
  const auto artefacts = Artefacts::open(folder->path() / "a");
  ASSERT_TRUE(artefacts);
  const auto digest = artefacts->put("bytes");
  ASSERT_TRUE(digest);
  EXPECT_EQ(*digest, sha256_hex("bytes"));
  EXPECT_EQ(artefacts->put("bytes").value(), *digest);
  EXPECT_EQ(read_file(artefacts->find(*digest, 5).value()).value(), "bytes");
  EXPECT_EQ(artefacts->find(*digest, 6).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(artefacts->find(sha256_hex("other"), 5).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace moru::fleet
