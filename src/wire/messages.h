// SPDX-License-Identifier: Apache-2.0
// What node and hub say to each other over MQTT (3.1.1 is enough), as JSON. README.md has the topics and who may
// publish what. Readers treat every message as hostile: sizes, types and ranges are checked, errors name the field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/result.h"

namespace moru::wire {

/// in = out + in_flight + stored + dropped, per link. "Stored" is on disk and not sent yet; "in flight" is sent and not
/// acknowledged, or in a memory queue.
struct LinkLedger {
  std::string link;  ///< "source->preprocess", "alert->hub"
  std::uint64_t in = 0;
  std::uint64_t out = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t stored = 0;
  std::vector<std::pair<std::string, std::uint64_t>> dropped;  ///< reason -> count
  std::uint64_t dropped_total() const;
  bool balanced() const { return in == out + in_flight + stored + dropped_total(); }
};

/// One release on its way to a node. (Not nested in Desired: clang cannot put a nested struct with default values in an
/// optional of the enclosing one.)
struct DesiredDeployment {
  std::string id;  ///< of the rollout; a node that refused or rolled back an id never takes it again
  std::int64_t release = 0;
  std::string url;  ///< path on the hub: "/v1/releases/2/bundle"
  std::string sha256;
  std::uint64_t size = 0;
  std::string action;  ///< "stage" (fetch, verify, warm up, shadow), "commit" (swap, soak, keep), "abort"
  std::int64_t soak_items = 200;
};

/// hub -> node, retained: moru/v1/nodes/ID/desired. The whole wish; a node that has it needs nothing else.
struct Desired {
  using Deployment = DesiredDeployment;
  std::int64_t generation = 0;  ///< grows with every change
  std::optional<Deployment> deployment;
  std::optional<std::uint64_t> drain_at;  ///< the stream's source ends once it has emitted this many items
};

/// How a candidate does beside the current model on the same live items.
struct ShadowStats {
  std::uint64_t items = 0;
  std::uint64_t agree = 0;           ///< same arg max
  std::uint64_t labelled = 0;        ///< items that carry a reference class (the order)
  std::uint64_t both_right = 0;      ///< of the labelled
  std::uint64_t only_current = 0;    ///< only the current model named the reference class
  std::uint64_t only_candidate = 0;  ///< only the candidate did
  std::uint64_t errors = 0;          ///< inferences of the candidate that failed
  std::int64_t current_p99_ns = 0;
  std::int64_t candidate_p99_ns = 0;
};

enum class DeploymentPhase : std::uint8_t {
  kFetching,
  kVerifying,
  kWarmingUp,
  kShadowing,  ///< stays here, with growing ShadowStats, until the hub says commit or abort
  kSoaking,    ///< swapped; watching errors and latency for soak_items
  kCommitted,
  kAborted,     ///< the hub said so; the node stayed on its old release
  kRolledBack,  ///< the soak failed; the node returned to its old release by itself
  kRefused,     ///< signature, digest, target or warm-up; never swapped
};
std::string_view to_string(DeploymentPhase phase);

struct NodeDeploymentState {
  std::string id;
  std::int64_t release = 0;
  DeploymentPhase phase = DeploymentPhase::kFetching;
  std::string reason;  ///< for aborted, rolled back, refused; one sentence
  ShadowStats shadow;
};

/// node -> hub, retained: moru/v1/nodes/ID/state. Sent at changes and every second.
struct NodeState {
  std::string node;
  std::string agent_version;
  std::string machine;          ///< "x86_64, AMD EPYC, 2 cores"
  TimeNs time = 0;              ///< wall clock
  std::int64_t generation = 0;  ///< of the Desired that this state answers
  std::int64_t release = 0;     ///< current; 0: none yet
  std::string release_name;
  using DeploymentState = NodeDeploymentState;
  std::optional<DeploymentState> deployment;
  std::string stream;        ///< name; empty: none
  std::string stream_state;  ///< "waiting for a release", "running", "draining", "finished", "failed: ..."
  std::uint64_t items = 0;   ///< emitted by the source
  std::uint64_t missed = 0;  ///< items that the source was due to emit and the stream did not process
  double items_per_second = 0.0;
  std::int64_t latency_p50_ns = 0;  ///< item to alert
  std::int64_t latency_p99_ns = 0;
  std::vector<LinkLedger> ledger;
};

/// node -> hub, QoS 1, not retained: moru/v1/nodes/ID/records. Records of one durable outbox in sequence. The hub stores
/// them, then acknowledges; the node deletes only what is acknowledged. (node, stream, sequence) makes a repeat harmless.
struct Record {
  std::uint64_t sequence = 0;  ///< per (node, stream), from 1, without holes
  std::string kind;            ///< "result" or "alert"; "lost": its bytes were damaged on the node's disk
  std::string body;            ///< JSON object as text, at most 16 KiB
};
struct RecordBatch {
  std::string stream;
  std::vector<Record> records;
};
/// hub -> node: moru/v1/nodes/ID/ack. Everything up to `sequence` is stored.
struct Ack {
  std::string stream;
  std::uint64_t sequence = 0;
};

std::string write(const Desired& message);
std::string write(const NodeState& message);
std::string write(const RecordBatch& message);
std::string write(const Ack& message);
Result<Desired> read_desired(std::string_view json);
Result<NodeState> read_node_state(std::string_view json);
Result<RecordBatch> read_record_batch(std::string_view json);
Result<Ack> read_ack(std::string_view json);

/// "moru/v1/nodes/ID/KIND"; KIND: desired, state, records, ack, online ("1"/"0", retained, also the last will).
std::string node_topic(std::string_view node, std::string_view kind);
/// Splits a topic of that form.
struct NodeTopic {
  std::string node;
  std::string kind;
};
std::optional<NodeTopic> parse_node_topic(std::string_view topic);
/// Letters, digits, '-', '_', at most 64: safe in topics, paths and certificates.
bool valid_node_name(std::string_view name);

}  // namespace moru::wire
