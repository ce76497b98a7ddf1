// SPDX-License-Identifier: Apache-2.0
#include "edge/agent/home.h"

#include <algorithm>

#include "core/json.h"
#include "wire/messages.h"

namespace moru::edge {
namespace {

constexpr std::size_t kMaxKeys = 16;
constexpr std::uint64_t kMaxFileBytes = 64 * 1024;

Result<std::vector<trust::PublicKey>> read_release_keys(const Path& folder) {
  std::error_code error;
  std::vector<Path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (entry.path().extension() == ".pem") files.push_back(entry.path());
  }
  if (error) return fail(ErrorCode::kNotFound, fmt::format("release keys '{}': {}; join the hub again", folder.string(), error.message()));
  std::ranges::sort(files);
  std::vector<trust::PublicKey> keys;
  for (const Path& file : files) {
    MORU_ASSIGN_OR_RETURN(const std::string pem, read_file(file, kMaxFileBytes));
    MORU_ASSIGN_OR_RETURN(auto key, trust::PublicKey::from_pem(pem, file.string()));
    keys.push_back(std::move(key));
  }
  return keys;
}

bool plain_text(std::string_view text) {
  return !text.empty() && text.size() <= 512 && std::ranges::all_of(text, [](char c) { return c > ' ' && c <= '~'; });
}

}  // namespace

Status check_identity(const NodeIdentity& identity) {
  const auto wrong = [](std::string_view what, std::string_view expected) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("node: {} is not right, expected {}", what, expected));
  };
  if (!wire::valid_node_name(identity.node)) return wrong("name", "1 to 64 letters, digits, '-' or '_'");
  if (!plain_text(identity.hub_url) || !identity.hub_url.starts_with("https://")) return wrong("the hub's address", "https://...");
  if (!plain_text(identity.mqtt_host)) return wrong("the broker's host", "a name or an address");
  if (identity.mqtt_port < 1 || identity.mqtt_port > 65535) return wrong("the broker's port", "1 to 65535");
  if (identity.release_keys.empty() || identity.release_keys.size() > kMaxKeys) return wrong("the number of release keys", "1 to 16");
  return {};
}

Status write_identity(const HomePaths& paths, const NodeIdentity& identity) {
  MORU_RETURN_IF_ERROR(check_identity(identity));
  MORU_RETURN_IF_ERROR(make_folders(paths.release_keys(), 0700));
  for (const trust::PublicKey& key : identity.release_keys) {
    MORU_RETURN_IF_ERROR(write_file_atomic(paths.release_keys() / (key.id() + ".pem"), key.to_pem()));
  }
  const Json json{
      {"node", identity.node}, {"hub_url", identity.hub_url}, {"mqtt_host", identity.mqtt_host}, {"mqtt_port", identity.mqtt_port}};
  return write_file_atomic(paths.hub(), json.dump(2) + "\n", 0600);
}

Result<NodeIdentity> read_identity(const HomePaths& paths) {
  const std::string where = paths.hub().string();
  auto text = read_file(paths.hub(), kMaxFileBytes);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kNotFound, fmt::format("'{}': found no hub.json, expected a node that has joined a hub; run: moru-agent join "
                                                  "--token TOKEN --name NAME --home {}",
                                                  paths.home.string(), paths.home.string()));
  }
  if (!text) return fail(std::move(text).error());
  MORU_ASSIGN_OR_RETURN(const Json json, parse_json(*text, where));
  NodeIdentity identity;
  MORU_ASSIGN_OR_RETURN(identity.node, json_field<std::string>(json, "node", where));
  MORU_ASSIGN_OR_RETURN(identity.hub_url, json_field<std::string>(json, "hub_url", where));
  MORU_ASSIGN_OR_RETURN(identity.mqtt_host, json_field<std::string>(json, "mqtt_host", where));
  MORU_ASSIGN_OR_RETURN(identity.mqtt_port, json_field<int>(json, "mqtt_port", where));
  MORU_ASSIGN_OR_RETURN(identity.release_keys, read_release_keys(paths.release_keys()));
  MORU_RETURN_IF_ERROR_IN(where, check_identity(identity));
  return identity;
}

model::Verifier make_verifier(std::vector<trust::PublicKey> keys) {
  return [keys = std::move(keys)](std::string_view message, std::string_view signature) {
    return trust::verify_with_any(keys, message, signature);
  };
}

}  // namespace moru::edge
