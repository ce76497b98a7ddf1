// SPDX-License-Identifier: Apache-2.0
#include "runtime/backends/native/bind.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/text.h"
#include "runtime/backends/native/prepare.h"

namespace moru::runtime::native {
namespace {

struct Bound {
  std::map<std::string, std::int64_t, std::less<>> named;
  std::optional<std::int64_t> others;
};

Result<Bound> read(std::string_view text) {
  Bound bound;
  for (const auto part : split(text, ',')) {
    const auto equals = part.find('=');
    const auto number = equals == std::string_view::npos ? part : part.substr(equals + 1);
    std::int64_t extent = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), extent);
    if (error != std::errc() || end != number.data() + number.size() || extent < 1 || equals == 0) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("setting 'bind': found {}, expected a number above 0 for all open extents, or NAME=NUMBER for one, "
                              "with commas between: N=4,1",
                              in_quotes(part)));
    }
    if (equals == std::string_view::npos) {
      bound.others = extent;
    } else {
      bound.named[std::string(part.substr(0, equals))] = extent;
    }
  }
  return bound;
}

}  // namespace

Result<model::Graph> bind_extents(const model::Graph& graph, std::string_view text) {
  MORU_ASSIGN_OR_RETURN(const Bound bound, read(text));
  std::set<std::string> open;
  std::vector<model::Dims> extents;
  for (const model::ValueId id : graph.inputs) {
    const model::Value& input = graph.value(id);
    if (!input.type.shape) {
      return fail(ErrorCode::kUnsupported,
                  fmt::format("setting 'bind': found input {} of no known rank, expected extents to bind", in_quotes(input.name)));
    }
    model::Dims& dims = extents.emplace_back();
    for (const model::Dim& dim : *input.type.shape) {
      const auto named = bound.named.find(dim.symbol);
      if (!dim.known()) open.insert(dim.symbol);
      if (!dim.known() && named == bound.named.end() && !bound.others) {
        return fail(ErrorCode::kInvalidArgument, fmt::format("setting 'bind': found input {} still open in {}, expected an extent for it",
                                                             in_quotes(input.name), in_quotes(dim.symbol)));
      }
      dims.push_back(dim.known() ? dim.value : named != bound.named.end() ? named->second : *bound.others);
    }
  }
  for (const auto& [name, extent] : bound.named) {
    if (!open.contains(name)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("setting 'bind': found {}, expected a name of an open extent: {}", in_quotes(name), fmt::join(open, ", ")));
    }
  }
  return with_extents(graph, extents);
}

}  // namespace moru::runtime::native
