// SPDX-License-Identifier: Apache-2.0
// From the live data to elements: one function a part of the page.
import type { Alert, LinkLedger, Node, Rollout, Shadow } from "./api.ts";
import { byId, make, update, updateTable, type Child } from "./dom.ts";
import { ago, atLeast, clock, count, duration, percent, points, rate } from "./format.ts";
import { kAlertsKept, type Connection, type Live } from "./live.ts";

type Tone = "good" | "busy" | "bad" | "quiet";

const kPhaseTones: Record<string, Tone> = { committed: "good", aborted: "quiet", "told to abort": "quiet", "rolled back": "bad", refused: "bad", pending: "quiet" };
const kStateTones: Record<string, Tone> = { succeeded: "good", failed: "bad", aborted: "bad", pending: "quiet" };

/** A state in words with a dot; the dot's colour never stands alone. */
function badge(text: string, tone: Tone): HTMLElement {
  return make(`span.badge.${tone}`, [text]);
}

/** A second line below a cell's value: cut off with dots where it is too long, whole in the tip. */
function small(text: string): HTMLElement {
  return make("small", [text], text === "" ? {} : { title: text });
}

export function showConnection(connection: Connection): void {
  const texts: Record<Connection, [string, Tone]> = {
    connecting: ["connecting", "busy"],
    live: ["live", "good"],
    polling: ["polling every 2 s", "busy"],
    lost: ["the hub does not answer; trying again", "bad"],
    refused: ["not signed in: open the address that `moru hub serve` printed", "bad"],
  };
  update(byId("connection"), [badge(...texts[connection])]);
}

export function showSummary(live: Live): void {
  const online = live.nodes.filter((node) => node.online).length;
  const perSecond = live.nodes.reduce((sum, node) => sum + (node.online ? node.itemsPerSecond : 0), 0);
  const missed = live.nodes.reduce((sum, node) => sum + node.missed, 0);
  const links = live.nodes.flatMap((node) => node.ledger);
  const unbalanced = links.filter((link) => !balanced(link)).length;
  const figure = (name: string, value: string, note: string, tone = ""): HTMLElement =>
    make(`div${tone}`, [make("dt", [name]), make("dd", [value]), make("dd.note", [note])]);
  update(byId("summary"), [
    figure("Nodes online", `${online} / ${live.nodes.length}`, online === live.nodes.length ? "all answer" : "some do not answer", online < live.nodes.length ? ".bad" : ""),
    figure("Items per second", rate(perSecond), `${count(live.nodes.reduce((sum, node) => sum + node.items, 0))} items so far`),
    figure("Items missed", count(missed), missed === 0 ? "none" : "the stream could not keep up", missed > 0 ? ".bad" : ""),
    figure("Alerts", count(live.summary?.alerts ?? live.alerts.length), `${count(live.summary?.records ?? 0)} records stored`),
    figure("Ledger", links.length === 0 ? "–" : unbalanced === 0 ? "balanced" : "open", `${links.length} links`, unbalanced > 0 ? ".bad" : ""),
  ]);
}

export function showNodes(nodes: Node[], nowMs: number): void {
  const heads = ["Node", "State", "Model", "Deployment", "#Items", "#Items/s", "#p50", "#p99", "#Missed", "Ledger"];
  const rows = nodes.map((node) =>
    make("tr", [
      make("th", [make("strong", [node.name]), small(node.machine)], { scope: "row" }),
      make("td", [
        badge(node.online ? "online" : "offline", node.online ? "good" : "bad"),
        small(node.online ? node.streamState : node.lastSeenNs > 0 ? `seen ${ago(node.lastSeenNs / 1e6, nowMs)}` : "never seen"),
      ]),
      make("td", node.release > 0 ? [make("span", [`release ${node.release}`]), small(node.releaseName)] : [make("span.muted", ["none yet"])]),
      make("td", deployment(node)),
      number(count(node.items)),
      number(rate(node.online ? node.itemsPerSecond : 0)),
      number(duration(node.latencyP50Ns)),
      number(duration(node.latencyP99Ns)),
      number(count(node.missed), node.missed > 0),
      make("td", [node.ledger.length === 0 ? "–" : node.ledger.every(balanced) ? badge("balanced", "good") : badge("open", "bad")]),
    ]),
  );
  updateTable(byId("nodes"), heads, rows);
  hideWhenEmpty("nodes", nodes.length);
}

function number(text: string, bad = false): HTMLElement {
  return make(bad ? "td.number.bad" : "td.number", [text]);
}

function deployment(node: Node): Child[] {
  const d = node.deployment;
  if (d === null) return [make("span.muted", ["–"])];
  const detail = d.reason !== "" ? d.reason : d.phase === "shadowing" ? `${count(d.shadow.items)} items in shadow` : "";
  return [badge(`${d.phase} ${d.release}`, kPhaseTones[d.phase] ?? "busy"), small(detail)];
}

function balanced(link: LinkLedger): boolean {
  const dropped = link.dropped.reduce((sum, drop) => sum + drop.count, 0);
  return link.in === link.out + link.inFlight + link.stored + dropped;
}

export function showLedger(nodes: Node[]): void {
  const rows = nodes.flatMap((node) =>
    node.ledger.map((link) => {
      const dropped = link.dropped.reduce((sum, drop) => sum + drop.count, 0);
      const why = link.dropped.filter((drop) => drop.count > 0).map((drop) => `${drop.reason} ${count(drop.count)}`);
      return make("tr", [
        make("th", [node.name], { scope: "row" }),
        make("td", [link.link.replace("->", " → ")]),
        number(count(link.in)),
        number(count(link.out)),
        number(count(link.inFlight)),
        number(count(link.stored)),
        make("td.number", [count(dropped), why.length > 0 ? make("small", [why.join(", ")]) : null]),
        make("td", [balanced(link) ? badge("balanced", "good") : badge("open", "bad")]),
      ]);
    }),
  );
  updateTable(byId("ledger"), ["Node", "Link", "#In", "#Out", "#In flight", "#Stored", "#Dropped", "Adds up"], rows);
  hideWhenEmpty("ledger", rows.length);
}

export function showAlerts(alerts: Alert[], perMinute: number): void {
  const rows = alerts.slice(0, 60).map((alert) =>
    make("tr", [
      make("td.number", [clock(alert.storedNs / 1e6)]),
      make("td", [alert.node]),
      make("td.number", [alert.item === null ? "–" : count(alert.item)]),
      make("td", [alert.ordered]),
      make("td", [make("strong", [alert.seen])]),
      make("td.number", [alert.probability === null ? "–" : alert.probability.toFixed(3)]),
      make("td.number", [duration(alert.latencyNs ?? 0)]),
    ]),
  );
  updateTable(byId("alerts"), ["#Time", "Node", "#Item", "Ordered", "Seen", "#P(order)", "#Latency"], rows);
  byId("alert-rate").textContent = perMinute > 0 ? `${atLeast(perMinute, kAlertsKept)} in the last minute` : "";
  hideWhenEmpty("alerts", alerts.length);
}

export function showRollouts(rollouts: Rollout[], nowMs: number): void {
  const newestFirst = [...rollouts].sort((a, b) => b.createdNs - a.createdNs);
  update(byId("rollouts"), newestFirst.map((rollout) => rolloutCard(rollout, nowMs)));
  hideWhenEmpty("rollouts", rollouts.length);
}

function rolloutCard(rollout: Rollout, nowMs: number): HTMLElement {
  const tone = kStateTones[rollout.state] ?? "busy";
  const waves = rollout.waves.map((share, i) => {
    const state = rollout.state === "succeeded" || i < rollout.wave ? "done" : i > rollout.wave ? "later" : tone === "bad" ? "failed" : "now";
    return make(`li.${state}`, [`wave ${i + 1}: ${Math.round(share * 100)} % of the nodes`]);
  });
  const figures = gateFigures(rollout).map(([name, value]) => make("div", [make("dt", [name]), make("dd", [value])]));
  return make(`li.rollout.${tone}`, [
    make("div.head", [
      make("strong", [`Release ${rollout.release}`]),
      make("span.muted", [rollout.releaseName]),
      badge(rollout.state, tone),
      make("span.muted.when", [rollout.createdNs > 0 ? ago(rollout.createdNs / 1e6, nowMs) : ""]),
    ]),
    rollout.reason !== "" ? make("p.reason", [rollout.reason]) : null,
    make("ol.waves", waves),
    make("dl.figures", figures),
    rollout.nodes.length > 0 ? rolloutNodes(rollout) : null,
  ]);
}

/** What the gate looked at: name and value, with the limit beside it. */
function gateFigures(rollout: Rollout): [string, string][] {
  const gate = rollout.gate;
  if (gate.items === 0) return [];
  const figures: [string, string][] = [["live items in shadow", count(gate.items)]];
  if (gate.test === "labelled") {
    figures.push(["accuracy", `${points(-gate.drop)} points (${points(-gate.dropHigh)} to ${points(-gate.dropLow)}), allowed ${points(-gate.allowedDrop)}`]);
  }
  const limit = gate.test === "agreement" ? `, at least ${percent(gate.minAgreement, 1)}` : "";
  figures.push(["same answer", `${percent(gate.agree, 1)}${limit}`]);
  if (gate.candidateP99Ns > 0) figures.push(["p99", `${duration(gate.candidateP99Ns)}, current model ${duration(gate.currentP99Ns)}`]);
  if (gate.errors > 0) figures.push(["errors", count(gate.errors)]);
  return figures;
}

function rolloutNodes(rollout: Rollout): HTMLElement {
  const table = make("table");
  const rows = rollout.nodes.map((node) =>
    make("tr", [
      make("th", [node.name], { scope: "row" }),
      make("td", [badge(node.phase || "pending", kPhaseTones[node.phase] ?? "busy")]),
      number(count(node.shadow.items)),
      number(percent(node.shadow.agree, node.shadow.items)),
      number(accuracy(node.shadow, "current")),
      number(accuracy(node.shadow, "candidate")),
      number(node.shadow.items > 0 ? `${duration(node.shadow.currentP99Ns)} → ${duration(node.shadow.candidateP99Ns)}` : "–"),
      make("td.reason", [node.reason]),
    ]),
  );
  updateTable(table, ["Node", "Phase", "#Shadowed", "#Agree", "#Current right", "#Candidate right", "#p99, current → candidate", "Reason"], rows);
  return make("div.scroll", [table], { tabindex: "0", role: "region", "aria-label": `Nodes of rollout ${rollout.id}` });
}

/** Share of the labelled items that the model got right. */
function accuracy(shadow: Shadow, which: "current" | "candidate"): string {
  return percent(shadow.bothRight + (which === "current" ? shadow.onlyCurrent : shadow.onlyCandidate), shadow.labelled);
}

function hideWhenEmpty(id: string, rows: number): void {
  byId(id).hidden = rows === 0;
  byId(`${id}-empty`).hidden = rows > 0;
}
