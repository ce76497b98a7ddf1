// SPDX-License-Identifier: Apache-2.0
// What a hub with two nodes says, in the hub's own JSON (src/fleet/hub), with times near now.
const kMs = 1_000_000;

function shadow(items, agree, bothRight, onlyCurrent, onlyCandidate, p99) {
  return { items, agree, labelled: items, both_right: bothRight, only_current: onlyCurrent, only_candidate: onlyCandidate, errors: 0, current_p99_ns: 412_000, candidate_p99_ns: p99 };
}

export function node(name, items, rate, nowMs) {
  const link = (from, to, dropped = {}) => ({ link: `${from}->${to}`, in: items, out: items - 2, in_flight: 2, stored: 0, dropped });
  const state = {
    node: name,
    agent_version: "0.1.0",
    machine: "x86_64, 2 cores",
    time: nowMs * kMs,
    generation: 7,
    release: 2,
    release_name: "fashion-line 2",
    deployment: { id: "r-4", release: 4, phase: "shadowing", reason: "", shadow: shadow(386, 352, 331, 27, 9, 428_000) },
    stream: "sorting-line",
    stream_state: "running",
    items,
    missed: 0,
    items_per_second: rate,
    latency_p50_ns: 684_000,
    latency_p99_ns: 1_930_000,
    ledger: [
      link("source", "preprocess"),
      link("preprocess", "infer"),
      link("infer", "compare"),
      { link: "compare->hub", in: 213, out: 196, in_flight: 5, stored: 12, dropped: {} },
    ],
  };
  return { node: name, online: true, joined: (nowMs - 190_000) * kMs, last_seen: nowMs * kMs, state };
}

const kGateOptions = { min_items: 500, max_items: 4000, allowed_drop: 0.01, harmful_drop: 0.05, alpha: 0.01, beta: 0.01, min_agreement: 0.9, latency_ratio: 3.0 };

export function rollouts(nowMs) {
  const nodeIn = (name, wave, phase, reason, stats) => ({ node: name, phase, reason, wave, step: "ready", first_install: false, shadow: stats });
  const gate = (items, drop, low, high, agree, p99) => ({
    test: "labelled", looks_done: 1, items, errors: 0, drop, drop_low: low, drop_high: high, agree, candidate_p99_us: p99, current_p99_us: 412.0,
  });
  const rollout = (release, secondsAgo, state, wave, figures, nodes, reason) => ({
    id: `r-${release}`, release, release_name: `fashion-line ${release}`, state, reason, created: (nowMs - secondsAgo * 1000) * kMs,
    waves: [0.5, 1], wave, gate: figures, nodes, gate_options: kGateOptions,
  });
  return [
    rollout(2, 140, "succeeded", 1, gate(1252, -0.004, -0.013, 0.006, 0.982, 417.0), [
      nodeIn("line-a", 0, "committed", "", shadow(640, 628, 586, 4, 7, 415_000)),
      nodeIn("line-b", 1, "committed", "", shadow(612, 601, 560, 4, 6, 417_000)),
    ], "the gate passed and every wave committed"),
    rollout(3, 75, "failed", -1, gate(1000, 0.821, 0.787, 0.853, 0.102, 414.0), [
      nodeIn("line-a", 0, "aborted", "gate not met", shadow(500, 51, 43, 416, 6, 414_000)),
      nodeIn("line-b", 1, "aborted", "gate not met", shadow(500, 50, 44, 417, 5, 413_000)),
    ], "the candidate is right on 82.1 points fewer of 1,000 live items than the current model, expected at most 1.0; the nodes stay on release 2"),
    rollout(4, 4, "shadowing", -1, gate(772, 0.047, 0.024, 0.071, 0.912, 428.0), [
      nodeIn("line-a", 0, "shadowing", "", shadow(386, 352, 331, 27, 9, 428_000)),
      nodeIn("line-b", 1, "warming up", "", shadow(0, 0, 0, 0, 0, 0)),
    ], ""),
  ];
}

const kClasses = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

export function alert(rowid, nowMs) {
  const order = kClasses[(rowid * 7) % 10];
  const seen = kClasses[(rowid * 3 + 1) % 10];
  const body = {
    seq: rowid * 47 + 11, time: nowMs * kMs, order, class: seen === order ? "bag" : seen, probability: ((rowid * 37) % 90) / 10_000, alert: 1, release: 2,
    latency_us: 600 + ((rowid * 7919) % 900),
  };
  return { rowid, node: rowid % 2 === 0 ? "line-a" : "line-b", stream: "sorting-line", sequence: Math.ceil(rowid / 2), kind: "alert", body, stored_at: nowMs * kMs };
}
