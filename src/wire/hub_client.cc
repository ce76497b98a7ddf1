// SPDX-License-Identifier: Apache-2.0
#include "wire/hub_client.h"

#include "core/json.h"
#include "core/text.h"

namespace moru::wire {
namespace {

Result<Json> read_answer(Result<HttpResponse> response, const std::string& where) {
  MORU_ASSIGN_OR_RETURN(const auto body, expect_success(std::move(response), where));
  return parse_json(body, where);
}

}  // namespace

Path hub_ready_file(const Path& folder) { return folder / "ready.json"; }

Result<HubClient> HubClient::from_ready_file(const Path& file) {
  MORU_ASSIGN_OR_RETURN(const auto text, read_file(file, 1U << 16U));
  MORU_ASSIGN_OR_RETURN(const auto ready, parse_json(text, file.string()));
  MORU_ASSIGN_OR_RETURN(const auto token_file, json_field<std::string>(ready, "operator_token_file", file.string()));
  MORU_ASSIGN_OR_RETURN(const auto ca_file, json_field<std::string>(ready, "ca_file", file.string()));
  MORU_ASSIGN_OR_RETURN(const auto token, read_file(token_file, 4096));
  HubClient client;
  MORU_ASSIGN_OR_RETURN(client.url_, json_field<std::string>(ready, "url", file.string()));
  client.options_.ca_file = ca_file;
  client.options_.bearer = std::string(trim(token));
  return client;
}

Result<HubClient> HubClient::from_hub_folder(const Path& folder) {
  const Path file = hub_ready_file(folder);
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) {
    return fail(ErrorCode::kUnavailable,
                fmt::format("hub: found no running hub in '{}', expected one; start it with: moru hub serve", folder.string()));
  }
  return from_ready_file(file);
}

Result<Json> HubClient::get(const std::string& path) const { return read_answer(http_get(url_ + path, options_), path); }

Result<Json> HubClient::post(const std::string& path, const Json& body) const {
  return read_answer(http_post(url_ + path, body.dump(), options_), path);
}

Result<Json> HubClient::put_bytes(const std::string& path, std::string_view bytes) const {
  return read_answer(http_put(url_ + path, bytes, options_), path);
}

}  // namespace moru::wire
