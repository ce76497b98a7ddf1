// SPDX-License-Identifier: Apache-2.0
// From the hub's JSON to the types of api.ts. Nothing is believed: a field that is missing or of another type becomes
// zero, empty or null, so that one odd record cannot take the page down.
import type { Alert, Deployment, Gate, LinkLedger, Node, Rollout, RolloutNode, Shadow, Summary } from "./api.ts";

type Fields = Record<string, unknown>;

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}
function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
function number(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
function maybeNumber(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
/** The array itself, or the one in field `key` of an object. */
function list(value: unknown, key: string): unknown[] {
  const inner = Array.isArray(value) ? value : fields(value)[key];
  return Array.isArray(inner) ? inner : [];
}

function readLedger(value: unknown): LinkLedger {
  const f = fields(value);
  const dropped = Object.entries(fields(f["dropped"])).map(([reason, n]) => ({ reason, count: number(n) }));
  return { link: text(f["link"]), in: number(f["in"]), out: number(f["out"]), inFlight: number(f["in_flight"]), stored: number(f["stored"]), dropped };
}

export function readShadow(value: unknown): Shadow {
  const f = fields(value);
  return {
    items: number(f["items"]),
    agree: number(f["agree"]),
    labelled: number(f["labelled"]),
    bothRight: number(f["both_right"]),
    onlyCurrent: number(f["only_current"]),
    onlyCandidate: number(f["only_candidate"]),
    errors: number(f["errors"]),
    currentP99Ns: number(f["current_p99_ns"]),
    candidateP99Ns: number(f["candidate_p99_ns"]),
  };
}

function readDeployment(value: unknown): Deployment | null {
  if (value === null || value === undefined) return null;
  const f = fields(value);
  return { id: text(f["id"]), release: number(f["release"]), phase: text(f["phase"]), reason: text(f["reason"]), shadow: readShadow(f["shadow"]) };
}

export function readNode(value: unknown): Node {
  const f = fields(value);
  // Null until the node has reported for the first time.
  const state = fields(f["state"]);
  return {
    name: text(f["node"]),
    online: f["online"] === true,
    lastSeenNs: number(f["last_seen"]),
    machine: text(state["machine"]),
    agentVersion: text(state["agent_version"]),
    release: number(state["release"]),
    releaseName: text(state["release_name"]),
    deployment: readDeployment(state["deployment"]),
    stream: text(state["stream"]),
    streamState: text(state["stream_state"]),
    items: number(state["items"]),
    missed: number(state["missed"]),
    itemsPerSecond: number(state["items_per_second"]),
    latencyP50Ns: number(state["latency_p50_ns"]),
    latencyP99Ns: number(state["latency_p99_ns"]),
    ledger: list(state["ledger"], "").map(readLedger),
  };
}

export function readNodes(value: unknown): Node[] {
  return list(value, "nodes").map(readNode).filter((node) => node.name !== "");
}

function readRolloutNode(value: unknown): RolloutNode {
  const f = fields(value);
  return { name: text(f["node"]), wave: number(f["wave"]), phase: text(f["phase"]), reason: text(f["reason"]), shadow: readShadow(f["shadow"]) };
}

function readGate(figures: unknown, options: unknown): Gate {
  const f = fields(figures);
  const o = fields(options);
  return {
    test: text(f["test"]),
    items: number(f["items"]),
    errors: number(f["errors"]),
    drop: number(f["drop"]),
    dropLow: number(f["drop_low"]),
    dropHigh: number(f["drop_high"]),
    allowedDrop: number(o["allowed_drop"]),
    agree: number(f["agree"]),
    minAgreement: number(o["min_agreement"]),
    candidateP99Ns: number(f["candidate_p99_us"]) * 1000,
    currentP99Ns: number(f["current_p99_us"]) * 1000,
  };
}

export function readRollout(value: unknown): Rollout {
  const f = fields(value);
  return {
    id: text(f["id"]),
    release: number(f["release"]),
    releaseName: text(f["release_name"]),
    state: text(f["state"]),
    reason: text(f["reason"]),
    waves: list(f["waves"], "").map(number),
    wave: number(f["wave"]),
    createdNs: number(f["created"]),
    gate: readGate(f["gate"], f["gate_options"]),
    nodes: list(f["nodes"], "").map(readRolloutNode),
  };
}

export function readRollouts(value: unknown): Rollout[] {
  return list(value, "rollouts").map(readRollout).filter((rollout) => rollout.id !== "");
}

/** A class: its name where the record has one, else its number. */
function className(body: Record<string, unknown>, field: string): string {
  const name = text(body[`${field}_name`]);
  const value = body[field];
  return name !== "" ? name : typeof value === "number" ? `class ${value}` : text(value);
}

export function readAlert(value: unknown): Alert {
  const f = fields(value);
  const body = fields(f["body"]);
  const latencyUs = maybeNumber(body["latency_us"]);
  return {
    row: number(f["rowid"]),
    node: text(f["node"]),
    stream: text(f["stream"]),
    sequence: number(f["sequence"]),
    storedNs: number(f["stored_at"]),
    item: maybeNumber(body["seq"]),
    ordered: className(body, "order"),
    seen: className(body, "class"),
    probability: maybeNumber(body["probability"]),
    latencyNs: latencyUs === null ? null : latencyUs * 1000,
  };
}

export function readAlerts(value: unknown): Alert[] {
  return list(value, "records").map(readAlert).filter((alert) => alert.node !== "");
}

export function readSummary(value: unknown): Summary {
  const f = fields(value);
  return { alerts: number(f["alerts"]), records: number(f["records"]) };
}
