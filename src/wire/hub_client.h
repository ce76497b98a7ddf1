// SPDX-License-Identifier: Apache-2.0
// The hub's API as an operator calls it: JSON in, JSON out.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "core/files.h"
#include "core/json_fwd.h"
#include "core/result.h"
#include "wire/http.h"

namespace moru::wire {

/// Where a hub is and the operator's secret. Threads: const functions from any thread; each call is a request of its own.
class HubClient {
 public:
  /// From the ready file that `moru hub serve --ready-file F` writes: {url, operator_token_file, ca_file}.
  static Result<HubClient> from_ready_file(const Path& file);
  /// From the hub's own folder on this machine (the running hub keeps its ready file there).
  static Result<HubClient> from_hub_folder(const Path& folder);

  Result<Json> get(const std::string& path) const;
  Result<Json> post(const std::string& path, const Json& body) const;
  Result<Json> put_bytes(const std::string& path, std::string_view bytes) const;

  const std::string& url() const { return url_; }
  /// Where the hub is reached when not at the address in its ready file (behind a forwarded port, say).
  void use_url(std::string url) { url_ = std::move(url); }

 private:
  std::string url_;
  HttpOptions options_;
};

/// The hub's ready file inside its folder.
Path hub_ready_file(const Path& folder);

}  // namespace moru::wire
