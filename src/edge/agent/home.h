// SPDX-License-Identifier: Apache-2.0
// What a node keeps on disk, and who it is.
//
//   hub.json            who the node is and where its hub is; written last by join, so a home with it is whole
//   ca.pem node.pem node-key.pem (0600)
//   release-keys/ID.pem whose signatures count
//   current.json        the release that runs, the one before, and how deployments ended
//   releases/N/bundle.moru
//   incoming/           a bundle on its way
//   outbox/             records that the hub has not stored yet
//   status.json         what `moru-agent status` prints; renewed every second
#pragma once

#include <string>
#include <vector>

#include "core/files.h"
#include "core/result.h"
#include "model/formats/bundle/bundle.h"
#include "trust/keys.h"

namespace moru::edge {

/// Names of the files below a home folder.
struct HomePaths {
  Path home;
  Path hub() const { return home / "hub.json"; }
  Path ca() const { return home / "ca.pem"; }
  Path certificate() const { return home / "node.pem"; }
  Path key() const { return home / "node-key.pem"; }
  Path release_keys() const { return home / "release-keys"; }
  Path current() const { return home / "current.json"; }
  Path releases() const { return home / "releases"; }
  Path incoming() const { return home / "incoming"; }
  Path outbox() const { return home / "outbox"; }
  Path stream_state() const { return home / "stream"; }
  Path status() const { return home / "status.json"; }
};

struct NodeIdentity {
  std::string node;
  std::string hub_url;  ///< "https://127.0.0.1:8443"
  std::string mqtt_host;
  int mqtt_port = 0;
  std::vector<trust::PublicKey> release_keys;
};

/// Checks every field; `hub_url` with https://.
Status check_identity(const NodeIdentity& identity);
/// Keys first, hub.json last.
Status write_identity(const HomePaths& paths, const NodeIdentity& identity);
/// kNotFound when the home has not joined a hub; the message says how to.
Result<NodeIdentity> read_identity(const HomePaths& paths);

/// Checks a bundle's signature with these keys.
model::Verifier make_verifier(std::vector<trust::PublicKey> keys);

}  // namespace moru::edge
