// SPDX-License-Identifier: Apache-2.0
// The hub's HTTPS API (src/wire/README.md has the table): who may call what, what is checked, what is answered.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json_fwd.h"
#include "fleet/hub/artefacts/artefacts.h"
#include "fleet/hub/nodes/node_book.h"
#include "fleet/hub/rollout/controller.h"
#include "fleet/hub/store/store.h"
#include "trust/certificates.h"
#include "trust/keys.h"
#include "wire/http_server/http_server.h"

namespace moru::fleet {

using wire::server::http_error;
using wire::server::HttpAdmission;
using wire::server::HttpFile;
using wire::server::HttpRequest;
using wire::server::HttpResponse;

/// What the API works on. All of it outlives the Api.
struct ApiContext {
  Store& store;
  NodeBook& nodes;
  RolloutController& rollouts;
  const Artefacts& artefacts;
  const trust::CertificateAuthority& authority;
  const Clock& clock;
  std::string operator_secret;
  std::vector<trust::PublicKey> release_keys;  ///< given to joining nodes
  std::function<std::string()> url;            ///< under which nodes reach this hub
  std::function<int()> mqtt_port;
  std::function<Json()> broker_status;
};

/// Names that a node may not have: certificates of these names are the hub's own.
bool reserved_name(std::string_view name);

/// Threads: all functions from any thread.
class Api {
 public:
  explicit Api(ApiContext context);
  HttpAdmission admit(const HttpRequest& head) const;
  HttpResponse handle(const HttpRequest& request) const;

  struct Route;

 private:
  bool is_operator(const HttpRequest& request) const;
  HttpResponse page(const HttpRequest& request) const;
  HttpResponse login(const HttpRequest& request) const;

  ApiContext context_;
  std::string cookie_name_;
  std::string secret_sha256_;
};

/// A record as GET /v1/records and the `alert` event show it.
Json describe_record(const RecordRow& record);

}  // namespace moru::fleet
