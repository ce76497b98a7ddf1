// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "wire/http_server/http_server.h"

namespace moru::wire::server {

/// What handlers see of a request's head; the body is still to come. `header` gives the value of a header, "" for none.
/// kInvalidArgument for a target that no well-meaning client sends.
Result<HttpRequest> read_head(const std::string& peer, std::string_view method, std::string_view target,
                              const std::function<std::string_view(const char* name)>& header);

}  // namespace moru::wire::server
