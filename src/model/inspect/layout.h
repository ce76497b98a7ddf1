// SPDX-License-Identifier: Apache-2.0
// Places for the boxes and lines of a layered drawing: boxes in rows from top to bottom, each below all that it uses.
//
// After Sugiyama, Tagawa, Toda, "Methods for Visual Understanding of Hierarchical System Structures" (1981): rows by longest path,
// bends for lines that pass rows, order within a row by barycentres. Columns after the blocks of Brandes and Köpf, "Fast and Simple
// Horizontal Coordinate Assignment" (2002): what follows one another in a chain stands in one column; here the longest chain of
// boxes comes first, so that a network's trunk is straight and its short cuts go round it.
#pragma once

#include <cstddef>
#include <vector>

namespace moru::model::layout {

struct Box {
  double width = 0;
  double height = 0;
};

/// What leads from one box to others: one line that forks. `from` is less than each of `to`, which are different.
struct Net {
  std::size_t from = 0;
  std::vector<std::size_t> to;
  double room = 0;  ///< kept free in height below `from`, for the net's label
};

struct Point {
  double x = 0;
  double y = 0;
};

/// One line, from the lower edge of a box to the upper edge of another: it passes each pair of points (upper, lower) straight
/// down and curves between pairs.
struct Line {
  std::size_t net = 0;
  std::vector<Point> points;
  bool cut = false;  ///< too long to draw: only a short piece at each end, to be labelled
};

struct Picture {
  std::vector<Point> boxes;  ///< upper left corners
  std::vector<Line> lines;   ///< net by net, in the order of Net::to
  double width = 0;
  double height = 0;
};

/// Cost: about proportional to boxes + nets for a network (10 ms for 1,000); lines that would need more than a fixed number of
/// bends altogether are cut, so that no graph takes long. `nets` are in the order of `from`.
Picture arrange(const std::vector<Box>& boxes, const std::vector<Net>& nets);

}  // namespace moru::model::layout
