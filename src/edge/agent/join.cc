// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/join.h"

#include "core/json.h"
#include "trust/certificates.h"
#include "trust/join_token.h"
#include "wire/http.h"
#include "wire/messages.h"

namespace moru::edge {
namespace {

constexpr std::uint64_t kMaxAnswerBytes = 256 * 1024;
constexpr std::string_view kNewToken = "ask the operator for a new one: moru hub token";

/// The CA certificate that the hub shows, when it is the one that the token names.
Result<std::string> fetch_ca(const trust::JoinToken& token, const JoinOptions& options) {
  wire::HttpOptions http;
  http.insecure = true;  // only to get what is compared with the token below
  http.timeout = options.timeout;
  http.max_response_bytes = kMaxAnswerBytes;
  const std::string where = token.hub_url + "/v1/ca";
  MORU_ASSIGN_OR_RETURN(const std::string body, wire::expect_success(wire::http_get(where, http), "join"));
  MORU_ASSIGN_OR_RETURN(const Json json, parse_json(body, where));
  MORU_ASSIGN_OR_RETURN(std::string pem, json_field<std::string>(json, "certificate", where));
  MORU_ASSIGN_OR_RETURN(const std::string fingerprint, trust::certificate_fingerprint(pem, where));
  if (fingerprint != token.ca_fingerprint) {
    return fail(
        ErrorCode::kCorrupt,
        fmt::format("join: {} shows a CA with fingerprint {}..., the token expects {}...; this is another hub, or somebody is in between; "
                    "nothing was sent",
                    token.hub_url, fingerprint.substr(0, 16), token.ca_fingerprint.substr(0, 16)));
  }
  return pem;
}

Result<Json> ask(const trust::JoinToken& token, const std::string& request_pem, const Path& ca_file, const JoinOptions& options) {
  wire::HttpOptions http;
  http.ca_file = ca_file;
  http.timeout = options.timeout;
  http.max_response_bytes = kMaxAnswerBytes;
  const Json request{{"token_id", token.id}, {"secret", token.secret}, {"name", options.name}, {"request", request_pem}};
  const std::string where = token.hub_url + "/v1/join";
  auto response = wire::http_post(where, request.dump(), http);
  if (!response) return fail(response.error().in("join"));
  if (response->status == 410)
    return fail(ErrorCode::kInvalidArgument, fmt::format("join: the token has expired, expected a valid one; {}", kNewToken));
  if (response->status == 409) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("join: the token has been used before, expected a fresh one; {}", kNewToken));
  }
  MORU_ASSIGN_OR_RETURN(const std::string body, wire::expect_success(std::move(response), "join"));
  return parse_json(body, where);
}

Result<NodeIdentity> read_answer(const Json& json, const trust::JoinToken& token, const JoinOptions& options) {
  const std::string where = token.hub_url + "/v1/join";
  NodeIdentity identity;
  identity.hub_url = token.hub_url;
  MORU_ASSIGN_OR_RETURN(identity.node, json_field<std::string>(json, "node", where));
  MORU_ASSIGN_OR_RETURN(identity.mqtt_host, json_field<std::string>(json, "mqtt_host", where));
  MORU_ASSIGN_OR_RETURN(identity.mqtt_port, json_field<int>(json, "mqtt_port", where));
  MORU_ASSIGN_OR_RETURN(const Json keys, json_field<Json>(json, "release_keys", where));
  if (identity.node != options.name) {
    return fail(ErrorCode::kCorrupt, fmt::format("{}: the hub gave a certificate for another name, expected '{}'", where, options.name));
  }
  if (!keys.is_array())
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: field 'release_keys' is {}, expected a list", where, keys.type_name()));
  for (const Json& key : keys) {
    if (!key.is_string())
      return fail(ErrorCode::kInvalidArgument, fmt::format("{}: a release key is {}, expected PEM", where, key.type_name()));
    MORU_ASSIGN_OR_RETURN(auto parsed, trust::PublicKey::from_pem(key.get<std::string>(), where));
    identity.release_keys.push_back(std::move(parsed));
  }
  MORU_RETURN_IF_ERROR_IN(where, check_identity(identity));
  return identity;
}

}  // namespace

Result<NodeIdentity> join_hub(const JoinOptions& options) {
  if (!wire::valid_node_name(options.name)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("join: found name '{}', expected 1 to 64 letters, digits, '-' or '_'", options.name));
  }
  MORU_ASSIGN_OR_RETURN(const trust::JoinToken token, trust::read_token(options.token));
  MORU_ASSIGN_OR_RETURN(const std::string ca_pem, fetch_ca(token, options));
  const HomePaths paths{options.home};
  MORU_RETURN_IF_ERROR(make_folders(paths.home, 0700));
  // Under another name until the hub has agreed, so that a failed attempt leaves an earlier membership alone.
  MORU_ASSIGN_OR_RETURN(const TempFolder scratch, TempFolder::create("moru-join"));
  MORU_RETURN_IF_ERROR(write_file_atomic(scratch.path() / "ca.pem", ca_pem));
  MORU_ASSIGN_OR_RETURN(const trust::KeyAndRequest own, trust::make_request(options.name));
  MORU_ASSIGN_OR_RETURN(const Json answer, ask(token, own.request_pem, scratch.path() / "ca.pem", options));
  MORU_ASSIGN_OR_RETURN(const std::string certificate, json_field<std::string>(answer, "certificate", "join"));
  MORU_RETURN_IF_ERROR(trust::certificate_expiry(certificate, "join"));
  MORU_ASSIGN_OR_RETURN(NodeIdentity identity, read_answer(answer, token, options));

  std::error_code ignored;
  std::filesystem::remove(paths.hub(), ignored);  // not whole until all is there
  std::filesystem::remove_all(paths.release_keys(), ignored);
  MORU_RETURN_IF_ERROR(write_file_atomic(paths.key(), own.key_pem, 0600));
  MORU_RETURN_IF_ERROR(write_file_atomic(paths.certificate(), certificate));
  MORU_RETURN_IF_ERROR(write_file_atomic(paths.ca(), ca_pem));
  MORU_RETURN_IF_ERROR(write_identity(paths, identity));
  return identity;
}

}  // namespace moru::edge
