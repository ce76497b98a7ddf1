// SPDX-License-Identifier: Apache-2.0
#include "edge/streams/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/files.h"
#include "edge/streams/drawing.h"

namespace moru::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(StagesPage, TheFileIsCurrent) {
  const auto file = read_file(Path(MORU_SOURCE_DIR) / "docs" / "stages.md");
  ASSERT_TRUE(file.has_value()) << file.error().message;
  EXPECT_TRUE(*file == stages_page()) << "docs/stages.md is old; write it anew: moru stages --markdown > docs/stages.md";
}

TEST(Drawing, ShowsBoxesQueuesAndFieldsAndEscapesWhatPeopleWrote) {
  const auto document = ConfigObject::parse(R"(apiVersion: moru.dev/v1
kind: Stream
metadata: {name: picture}
spec:
  stages:
    - {name: sensors, stage: synthetic, options: {unit: "<m/s>", rate_hz: 50}}
    - {name: split, stage: filter, inputs: [sensors], options: {where: value > 20}}
    - {name: many, stage: "null", inputs: [{from: split.rest, queue: 9, overflow: sample}]}
    - {name: a-name-that-is-much-too-long-for-its-box, stage: "null", inputs: [split]}
)",
                                            "line.yaml");
  const auto spec = read_stream(*document);
  ASSERT_TRUE(spec) << spec.error().message;
  const auto svg = draw_stream(*spec);
  ASSERT_TRUE(svg) << svg.error().message;
  EXPECT_THAT(*svg, HasSubstr("rest, ≤ 50/s, 9 sample"));
  EXPECT_THAT(*svg, HasSubstr("50 a second at most"));
  EXPECT_THAT(*svg, HasSubstr("value: double &lt;m/s&gt;"));
  EXPECT_THAT(*svg, Not(HasSubstr("<m/s>")));
  EXPECT_THAT(*svg, HasSubstr("a-name-that-is-much-t…"));
}

}  // namespace
}  // namespace moru::edge
