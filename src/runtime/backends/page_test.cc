// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/page.h"

#include <gmock/gmock.h>

#include "core/files.h"

namespace moru::runtime {
namespace {

TEST(BackendsPage, TheFileIsCurrent) {
  const auto file = read_file(Path(MORU_SOURCE_DIR) / "docs" / "backends.md");
  ASSERT_TRUE(file.has_value());
  const std::string written = file->substr(0, file->find("<!-- begin: scripts/measure_backends -->"));
  EXPECT_TRUE(written == backends_page())
      << "the first half of docs/backends.md is old; write it anew: scripts/measure_backends --first-half";
}

TEST(BackendsPage, SaysWhereEachLibraryComesFrom) {
  const std::string page = backends_page();
  EXPECT_THAT(page, testing::ContainsRegex("\\| onnxruntime \\| .* \\| onnx \\| onnxruntime [0-9.]+ \\(pip\\) \\|"));
  EXPECT_THAT(page, testing::ContainsRegex("\\| reference \\| .* \\| onnx, tflite \\| built in \\|"));
  EXPECT_THAT(page, testing::HasSubstr("| openvino | `precision` | "));
}

}  // namespace
}  // namespace moru::runtime
