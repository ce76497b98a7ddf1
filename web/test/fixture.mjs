// SPDX-License-Identifier: Apache-2.0
// What a hub with two nodes says, in the hub's own JSON (src/fleet/hub), with times near now.
const kMs = 1_000_000;

function shadow(items, agree, bothRight, onlyCurrent, onlyCandidate, p99) {
  return { items, agree, labelled: items, both_right: bothRight, only_current: onlyCurrent, only_candidate: onlyCandidate, errors: 0, current_p99_ns: 412_000, candidate_p99_ns: p99 };
}

export function node(name, items, rate, nowMs) {
  const link = (from, to, dropped = {}) => ({ link: `${from}->${to}`, in: items, out: items - 2, in_flight: 2, stored: 0, dropped });
  return {
    node: name,
    online: true,
    last_seen: nowMs * kMs,
    agent_version: "0.1.0",
    machine: "x86_64, 2 cores",
    time: nowMs * kMs,
    generation: 7,
    release: 2,
    release_name: "fashion-line 2",
    deployment: { id: "r4", release: 4, phase: "shadowing", reason: "", shadow: shadow(386, 352, 331, 27, 9, 428_000) },
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
}

export function rollouts(nowMs) {
  const at = (secondsAgo) => (nowMs - secondsAgo * 1000) * kMs;
  const nodeIn = (name, wave, phase, reason, stats) => ({ node: name, wave, phase, reason, shadow: stats });
  return [
    {
      id: "r2", release: 2, release_name: "fashion-line 2", state: "done", outcome: "succeeded", reason: "", waves: [0.5, 1], wave: 2, created: at(140),
      figures: { "items in shadow": 640, "accuracy change": "+0.4 points", "p99 ratio": 1.02 },
      nodes: [
        nodeIn("line-a", 0, "committed", "", shadow(640, 628, 586, 4, 7, 415_000)),
        nodeIn("line-b", 1, "committed", "", shadow(612, 601, 560, 4, 6, 417_000)),
      ],
    },
    {
      id: "r3", release: 3, release_name: "fashion-line 3", state: "done", outcome: "failed", waves: [0.5, 1], wave: 0, created: at(75),
      reason: "gate: the candidate is right on 9.8 % of 500 labelled items, expected at least 90.2 %; the nodes stay on release 2",
      figures: { "items in shadow": 500, "accuracy change": "−82.1 points", "p99 ratio": 1.01 },
      nodes: [nodeIn("line-a", 0, "aborted", "the hub said so: gate not met", shadow(500, 51, 43, 416, 6, 414_000)), nodeIn("line-b", 1, "", "", shadow(0, 0, 0, 0, 0, 0))],
    },
    {
      id: "r4", release: 4, release_name: "fashion-line 4", state: "running", outcome: "", reason: "", waves: [0.5, 1], wave: 0, created: at(4),
      figures: { "items in shadow": 386, "accuracy change": "−4.7 points", "p99 ratio": 1.04 },
      nodes: [nodeIn("line-a", 0, "shadowing", "", shadow(386, 352, 331, 27, 9, 428_000)), nodeIn("line-b", 1, "", "", shadow(0, 0, 0, 0, 0, 0))],
    },
  ];
}

const kClasses = ["T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

export function alert(row, nowMs) {
  const ordered = kClasses[(row * 7) % 10];
  const seen = kClasses[(row * 3 + 1) % 10];
  const item = row * 47 + 11;
  return {
    row, node: row % 2 === 0 ? "line-a" : "line-b", stream: "alerts", sequence: Math.ceil(row / 2), kind: "alert", received: nowMs * kMs,
    body: { item, ordered, seen: seen === ordered ? "bag" : seen, probability: ((row * 37) % 90) / 10_000, latency_ns: 600_000 + ((row * 7919) % 900) * 1000 },
  };
}
