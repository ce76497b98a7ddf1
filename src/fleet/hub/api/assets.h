// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace moru::fleet {

/// A file of the page inside the binary.
struct Asset {
  std::string_view path;  ///< "index.html", "assets/index-abc.js"
  std::string_view content_type;
  std::string_view sha256;
  std::string_view bytes;
};

/// All of them, by path; empty when this binary was built without the page. The table is generated from a folder at
/// build time (cmake/embed.cmake).
std::span<const Asset> page_assets();

}  // namespace moru::fleet
