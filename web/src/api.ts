// SPDX-License-Identifier: Apache-2.0
// The hub's JSON as types. What comes over the wire is read field by field (read.ts): the rest of the page works on
// these types only. The fields of a node are those of src/wire/messages.h; durations end in _ns, times in epoch _ns.

export interface LinkLedger {
  link: string;
  in: number;
  out: number;
  inFlight: number;
  stored: number;
  dropped: { reason: string; count: number }[];
}

/** How a candidate does beside the current model on the same live items. */
export interface Shadow {
  items: number;
  agree: number;
  labelled: number;
  bothRight: number;
  onlyCurrent: number;
  onlyCandidate: number;
  errors: number;
  currentP99Ns: number;
  candidateP99Ns: number;
}

export interface Deployment {
  id: string;
  release: number;
  phase: string;
  reason: string;
  shadow: Shadow;
}

export interface Node {
  name: string;
  online: boolean;
  lastSeenNs: number;
  machine: string;
  agentVersion: string;
  release: number;
  releaseName: string;
  deployment: Deployment | null;
  stream: string;
  streamState: string;
  items: number;
  missed: number;
  itemsPerSecond: number;
  latencyP50Ns: number;
  latencyP99Ns: number;
  ledger: LinkLedger[];
}

export interface RolloutNode {
  name: string;
  wave: number;
  phase: string;
  reason: string;
  shadow: Shadow;
}

/** What the gate has measured; shares of items, not percent. */
export interface Gate {
  /** "labelled", "agreement", or "" before the first look. */
  test: string;
  items: number;
  errors: number;
  /** Accuracy that the candidate loses, with the bounds of one look. */
  drop: number;
  dropLow: number;
  dropHigh: number;
  allowedDrop: number;
  agree: number;
  minAgreement: number;
  candidateP99Ns: number;
  currentP99Ns: number;
}

export interface Rollout {
  id: string;
  release: number;
  releaseName: string;
  /** pending, shadowing, committing, succeeded, failed, aborted */
  state: string;
  reason: string;
  /** Share of the nodes that each wave reaches, growing to 1. */
  waves: number[];
  /** The wave that is being committed, from 0; -1 before the first. */
  wave: number;
  createdNs: number;
  gate: Gate;
  nodes: RolloutNode[];
}

export interface Alert {
  /** Row in the hub's store; grows. */
  row: number;
  node: string;
  stream: string;
  sequence: number;
  storedNs: number;
  item: number | null;
  /** Classes, by name where the stream writes one, else by number. */
  ordered: string;
  seen: string;
  probability: number | null;
  latencyNs: number | null;
}

export interface Summary {
  alerts: number;
  records: number;
}
