// SPDX-License-Identifier: Apache-2.0
// One function an endpoint. `part` is what stands in the place of the '*' of the route's pattern.
#pragma once

#include "fleet/hub/api/api.h"

namespace moru::fleet {

using Endpoint = HttpResponse (*)(const ApiContext& context, const HttpRequest& request, const std::string& part);

HttpResponse get_ca(const ApiContext& context, const HttpRequest& request, const std::string& part);
HttpResponse post_join(const ApiContext& context, const HttpRequest& request, const std::string& part);
HttpResponse post_token(const ApiContext& context, const HttpRequest& request, const std::string& part);

HttpResponse put_release(const ApiContext& context, const HttpRequest& request, const std::string& part);
HttpResponse get_releases(const ApiContext& context, const HttpRequest& request, const std::string& part);
HttpResponse get_bundle(const ApiContext& context, const HttpRequest& request, const std::string& part);

HttpResponse get_nodes(const ApiContext& context, const HttpRequest& request, const std::string& part);
HttpResponse get_node(const ApiContext& context, const HttpRequest& request, const std::string& part);
HttpResponse post_drain(const ApiContext& context, const HttpRequest& request, const std::string& part);

HttpResponse post_rollout(const ApiContext& context, const HttpRequest& request, const std::string& part);
HttpResponse get_rollouts(const ApiContext& context, const HttpRequest& request, const std::string& part);
HttpResponse get_rollout(const ApiContext& context, const HttpRequest& request, const std::string& part);
HttpResponse post_abort(const ApiContext& context, const HttpRequest& request, const std::string& part);

HttpResponse get_records(const ApiContext& context, const HttpRequest& request, const std::string& part);
HttpResponse get_summary(const ApiContext& context, const HttpRequest& request, const std::string& part);
HttpResponse get_events(const ApiContext& context, const HttpRequest& request, const std::string& part);

/// 200 with JSON.
HttpResponse http_json(const Json& json);
/// The status that fits an error's code.
HttpResponse http_failure(const Error& error);

}  // namespace moru::fleet
