// SPDX-License-Identifier: Apache-2.0
// Keeps the page's data fresh: server-sent events while they flow, and a poll of the same figures when they do not.
import type { Alert, Node, Rollout, Summary } from "./api.ts";
import { readAlert, readAlerts, readNodes, readRollout, readRollouts, readSummary } from "./read.ts";

export type Connection = "connecting" | "live" | "polling" | "lost" | "refused";

/** Alerts the page holds; older ones stay in the hub's store. */
export const kAlertsKept = 200;
const kRateWindowMs = 180_000;
const kPollMs = 2000;

export interface RatePoint {
  timeMs: number;
  perNode: Map<string, number>;
}

export class Live {
  connection: Connection = "connecting";
  nodes: Node[] = [];
  rollouts: Rollout[] = [];
  alerts: Alert[] = [];
  summary: Summary | null = null;
  rates: RatePoint[] = [];
  private seen = new Set<string>();
  private readonly changed: () => void;
  private readonly alerted: (alert: Alert) => void;

  constructor(changed: () => void, alerted: (alert: Alert) => void) {
    this.changed = changed;
    this.alerted = alerted;
  }

  start(): void {
    const events = new EventSource("/v1/events");
    events.addEventListener("open", () => {
      this.connection = "live";
      void this.fetchAll();
    });
    events.addEventListener("nodes", (event) => this.takeNodes(readNodes(parse(event.data))));
    events.addEventListener("rollout", (event) => this.takeRollout(readRollout(parse(event.data))));
    events.addEventListener("alert", (event) => {
      const alert = readAlert(parse(event.data));
      if (this.takeAlert(alert)) this.alerted(alert);
      this.changed();
    });
    events.addEventListener("error", () => {
      // The browser reconnects by itself unless the hub refused.
      if (this.connection === "live" || this.connection === "connecting") this.connection = "polling";
      this.changed();
    });
    setInterval(() => void this.poll(), kPollMs);
  }

  private async poll(): Promise<void> {
    if (this.connection === "live") {
      const summary = await get("/v1/summary");
      if (summary.ok) this.summary = readSummary(summary.body);
      this.changed();
    } else {
      await this.fetchAll();
    }
  }

  private async fetchAll(): Promise<void> {
    const [nodes, rollouts, alerts, summary] = await Promise.all([get("/v1/nodes"), get("/v1/rollouts"), get(this.alertsPath()), get("/v1/summary")]);
    if (this.connection !== "live") this.connection = nodes.ok ? "polling" : nodes.status === 401 || nodes.status === 403 ? "refused" : "lost";
    if (nodes.ok) this.takeNodes(readNodes(nodes.body));
    if (rollouts.ok) this.rollouts = readRollouts(rollouts.body);
    if (alerts.ok) for (const alert of readAlerts(alerts.body)) this.takeAlert(alert);
    if (summary.ok) this.summary = readSummary(summary.body);
    this.changed();
  }

  private alertsPath(): string {
    const newest = this.alerts.reduce((row, alert) => Math.max(row, alert.row), 0);
    return `/v1/records?kind=alert&limit=${kAlertsKept}${newest > 0 ? `&after=${newest}` : ""}`;
  }

  private takeNodes(nodes: Node[]): void {
    this.nodes = nodes.sort((a, b) => a.name.localeCompare(b.name));
    const timeMs = Date.now();
    const perNode = new Map(nodes.map((node) => [node.name, node.online ? node.itemsPerSecond : 0]));
    const last = this.rates.at(-1);
    // Several nodes report within one second: one point a second is enough.
    if (last !== undefined && timeMs - last.timeMs < 900) last.perNode = perNode;
    else this.rates.push({ timeMs, perNode });
    this.rates = this.rates.filter((point) => timeMs - point.timeMs <= kRateWindowMs);
    this.changed();
  }

  private takeRollout(rollout: Rollout): void {
    if (rollout.id === "") return;
    const at = this.rollouts.findIndex((old) => old.id === rollout.id);
    if (at < 0) this.rollouts.push(rollout);
    else this.rollouts[at] = rollout;
    this.changed();
  }

  /** False when the page has it already. */
  private takeAlert(alert: Alert): boolean {
    const key = `${alert.node} ${alert.stream} ${alert.sequence}`;
    if (alert.node === "" || this.seen.has(key)) return false;
    this.seen.add(key);
    this.alerts.push(alert);
    this.alerts.sort((a, b) => b.row - a.row || b.storedNs - a.storedNs);
    for (const old of this.alerts.splice(kAlertsKept)) this.seen.delete(`${old.node} ${old.stream} ${old.sequence}`);
    return true;
  }
}

function parse(data: unknown): unknown {
  try {
    return JSON.parse(String(data));
  } catch {
    return null;
  }
}

async function get(path: string): Promise<{ ok: boolean; status: number; body: unknown }> {
  try {
    const response = await fetch(path, { headers: { Accept: "application/json" } });
    return { ok: response.ok, status: response.status, body: parse(await response.text()) };
  } catch {
    return { ok: false, status: 0, body: null };
  }
}
