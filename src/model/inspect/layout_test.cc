// SPDX-License-Identifier: Apache-2.0
#include "model/inspect/layout.h"

#include <gtest/gtest.h>

#include "core/random.h"

namespace moru::model::layout {
namespace {

double middle(const Picture& picture, const std::vector<Box>& boxes, std::size_t box) {
  return picture.boxes[box].x + boxes[box].width / 2;
}

bool apart(const Point& a, const Box& a_size, const Point& b, const Box& b_size) {
  return a.x + a_size.width <= b.x || b.x + b_size.width <= a.x || a.y + a_size.height <= b.y || b.y + b_size.height <= a.y;
}

void expect_sound(const std::vector<Box>& boxes, const std::vector<Net>& nets, const Picture& picture) {
  ASSERT_EQ(picture.boxes.size(), boxes.size());
  for (std::size_t i = 0; i < boxes.size(); ++i) {
    EXPECT_GE(picture.boxes[i].x, -0.01);
    EXPECT_LE(picture.boxes[i].x + boxes[i].width, picture.width + 0.01);
    EXPECT_LE(picture.boxes[i].y + boxes[i].height, picture.height + 0.01);
    for (std::size_t j = 0; j < i; ++j) EXPECT_TRUE(apart(picture.boxes[i], boxes[i], picture.boxes[j], boxes[j])) << i << " and " << j;
  }
  std::size_t line = 0;
  for (const Net& net : nets) {
    for (const std::size_t to : net.to) {
      const auto& points = picture.lines.at(line++).points;
      EXPECT_NEAR(points.front().y, picture.boxes[net.from].y + boxes[net.from].height, 0.01);
      EXPECT_NEAR(points.back().y, picture.boxes[to].y, 0.01);
      EXPECT_EQ(points.size() % 2, 0U);
      for (std::size_t i = 1; i < points.size(); ++i) EXPECT_GE(points[i].y, points[i - 1].y);
    }
  }
}

TEST(Layout, AChainIsOneColumn) {
  const std::vector<Box> boxes = {{80, 20}, {200, 60}, {90, 20}, {120, 40}};
  const std::vector<Net> nets = {{0, {1}, 0}, {1, {2}, 14}, {2, {3}, 14}};
  const Picture picture = arrange(boxes, nets);
  expect_sound(boxes, nets, picture);
  for (std::size_t i = 1; i < boxes.size(); ++i) EXPECT_DOUBLE_EQ(middle(picture, boxes, i), middle(picture, boxes, 0));
  for (const Line& line : picture.lines) {
    for (const Point& point : line.points) EXPECT_DOUBLE_EQ(point.x, middle(picture, boxes, 0));
  }
}

TEST(Layout, AShortCutGoesRoundTheTrunk) {
  // 0 -> 1 -> 2 -> 3 -> 4 and 0 -> 4.
  const std::vector<Box> boxes(5, Box{100, 40});
  const std::vector<Net> nets = {{0, {1, 4}, 0}, {1, {2}, 0}, {2, {3}, 0}, {3, {4}, 0}};
  const Picture picture = arrange(boxes, nets);
  expect_sound(boxes, nets, picture);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_DOUBLE_EQ(middle(picture, boxes, i), middle(picture, boxes, 0));
  const Line& round = picture.lines[1];
  EXPECT_EQ(round.points.size(), 4U + 2 * 3U);  // three rows are passed
  for (std::size_t i = 2; i + 2 < round.points.size(); ++i) EXPECT_GT(std::abs(round.points[i].x - middle(picture, boxes, 0)), 50);
}

TEST(Layout, BranchesDoNotCrossWithoutNeed) {
  // 0 and 1 each feed what stands on the other side at first: 0 -> 3, 1 -> 2.
  const std::vector<Box> boxes(4, Box{50, 20});
  const std::vector<Net> nets = {{0, {3}, 0}, {1, {2}, 0}};
  const Picture picture = arrange(boxes, nets);
  EXPECT_EQ(picture.boxes[0].x < picture.boxes[1].x, picture.boxes[3].x < picture.boxes[2].x);
}

TEST(Layout, InputsStandJustAboveWhereTheyAreUsed) {
  // 0 -> 2 -> 3, and 1 is used by 3 alone.
  const std::vector<Box> boxes(4, Box{50, 20});
  const Picture picture = arrange(boxes, {{0, {2}, 0}, {1, {3}, 0}, {2, {3}, 0}});
  EXPECT_DOUBLE_EQ(picture.boxes[1].y, picture.boxes[2].y);
}

TEST(Layout, NothingAndOneBoxHaveAPlaceToo) {
  EXPECT_EQ(arrange({}, {}).boxes.size(), 0U);
  const Picture one = arrange({{30, 10}}, {});
  EXPECT_DOUBLE_EQ(one.width, 30);
  EXPECT_DOUBLE_EQ(one.height, 10);
}

TEST(Layout, BoxesNeverOverlap) {
  Rng rng(3);
  for (int round = 0; round < 60; ++round) {
    const std::size_t count = 2 + rng.below(40);
    std::vector<Box> boxes;
    for (std::size_t i = 0; i < count; ++i)
      boxes.push_back({20.0 + static_cast<double>(rng.below(200)), 10.0 + static_cast<double>(rng.below(80))});
    std::vector<Net> nets;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      Net net{i, {}, 0};
      for (std::size_t to = i + 1; to < count; ++to) {
        if (rng.below(count) < 2) net.to.push_back(to);
      }
      if (!net.to.empty()) nets.push_back(std::move(net));
    }
    expect_sound(boxes, nets, arrange(boxes, nets));
  }
}

}  // namespace
}  // namespace moru::model::layout
