// SPDX-License-Identifier: Apache-2.0
// How a node becomes one of this hub.
#include <fmt/format.h>

#include "core/digest.h"
#include "core/json.h"
#include "core/log.h"
#include "fleet/hub/api/endpoints.h"
#include "trust/join_token.h"

namespace moru::fleet {
namespace {

constexpr std::int64_t kLongestSeconds = 7 * 24 * 3600;

HttpResponse refuse(TokenOutcome outcome, const std::string& name) {
  switch (outcome) {
    case TokenOutcome::kUsed: return http_error(409, "join: this token was used already, expected a fresh one; make one: moru hub token");
    case TokenOutcome::kExpired: return http_error(410, "join: this token has expired, expected a fresh one; make one: moru hub token");
    case TokenOutcome::kNameTaken:
      return http_error(409, fmt::format("join: a node '{0}' has joined already, expected another name; to replace it make a token for it: "
                                         "moru hub token --node {0}",
                                         name));
    case TokenOutcome::kWrongName:
      return http_error(403, fmt::format("join: found name '{}', expected the one that the token was made for", name));
    case TokenOutcome::kUnknown:
    case TokenOutcome::kAccepted: break;
  }
  return http_error(403, "join: this hub did not make this token, expected one of its own; make one: moru hub token");
}

struct Join {
  TokenUse use;
  std::string request_pem;
};

Result<Join> read_join(const std::string& body) {
  constexpr std::string_view kWhere = "join";
  MORU_ASSIGN_OR_RETURN(const Json json, parse_json(body, kWhere));
  Join join;
  MORU_ASSIGN_OR_RETURN(join.use.token_id, json_field<std::string>(json, "token_id", kWhere));
  MORU_ASSIGN_OR_RETURN(join.use.secret, json_field<std::string>(json, "secret", kWhere));
  MORU_ASSIGN_OR_RETURN(join.use.node, json_field<std::string>(json, "name", kWhere));
  MORU_ASSIGN_OR_RETURN(join.request_pem, json_field<std::string>(json, "request", kWhere));
  if (!wire::valid_node_name(join.use.node)) {
    return fail(ErrorCode::kInvalidArgument, "join: field 'name' is no node's name, expected 1 to 64 letters, digits, '-' or '_'");
  }
  if (reserved_name(join.use.node)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("join: found name '{}', expected one that is not the hub's own", join.use.node));
  }
  join.use.request_sha256 = sha256_hex(join.request_pem);
  return join;
}

}  // namespace

HttpResponse get_ca(const ApiContext& context, const HttpRequest&, const std::string&) {
  return http_json({{"certificate", context.authority.certificate_pem()}});
}

HttpResponse post_token(const ApiContext& context, const HttpRequest& request, const std::string&) {
  constexpr std::string_view kWhere = "token";
  const auto json = parse_json(request.body, kWhere);
  if (!json) return http_failure(json.error());
  const auto seconds = json_field<std::int64_t>(*json, "valid_seconds", kWhere);
  if (!seconds) return http_failure(seconds.error());
  if (*seconds < 1 || *seconds > kLongestSeconds) {
    return http_error(400, fmt::format("token: found valid_seconds = {}, expected 1 to {}", *seconds, kLongestSeconds));
  }
  std::string node;
  if (json->contains("node")) {
    const auto name = json_field<std::string>(*json, "node", kWhere);
    if (!name) return http_failure(name.error());
    if (!wire::valid_node_name(*name) || reserved_name(*name)) return http_error(400, "token: field 'node' is no node's name");
    node = *name;
  }
  const TimeNs expires = context.clock.wall_now() + *seconds * kSecond;
  const auto token = trust::make_token(context.url(), context.authority.fingerprint(), expires);
  if (!token) return http_failure(token.error());
  const auto added = context.store.add_token(token->id, token->secret, node, expires);
  if (!added) return http_failure(added.error());
  return http_json({{"token", trust::write_token(*token)}, {"expires", expires}});
}

HttpResponse post_join(const ApiContext& context, const HttpRequest& request, const std::string&) {
  const auto join = read_join(request.body);
  if (!join) return http_failure(join.error());
  // A request that cannot be signed must not cost the token.
  const auto certificate = context.authority.issue_client(join->request_pem, join->use.node);
  if (!certificate) return http_error(400, certificate.error().in("join").message);
  const auto outcome = context.store.redeem_token(join->use);
  if (!outcome) return http_failure(outcome.error());
  if (*outcome != TokenOutcome::kAccepted) return refuse(*outcome, join->use.node);
  context.nodes.joined(join->use.node);
  MORU_LOG(kInfo, "node joined", "node", join->use.node);
  Json keys = Json::array();
  for (const auto& key : context.release_keys) keys.push_back(key.to_pem());
  return http_json({{"node", join->use.node},
                    {"certificate", *certificate},
                    {"mqtt_host", "127.0.0.1"},
                    {"mqtt_port", context.mqtt_port()},
                    {"release_keys", std::move(keys)}});
}

}  // namespace moru::fleet
