// SPDX-License-Identifier: Apache-2.0
import { drawRates } from "./chart.ts";
import { byId } from "./dom.ts";
import { Live } from "./live.ts";
import { showAlerts, showConnection, showLedger, showNodes, showRollouts, showSummary } from "./views.ts";

// The address that is printed carries the operator's secret; the cookie has it now, so it need not stay in sight.
if (location.search !== "") history.replaceState(null, "", location.pathname);

const kAnnounceMs = 5000;
let drawn = false;
let unannounced = 0;
let lastNews = "";

const live = new Live(
  () => {
    // Many events within one frame are one drawing.
    if (drawn) return;
    drawn = true;
    requestAnimationFrame(draw);
  },
  (alert) => {
    unannounced += 1;
    lastNews = `${alert.node}: ordered ${alert.ordered}, seen ${alert.seen}`;
  },
);

function draw(): void {
  drawn = false;
  const nowMs = Date.now();
  showConnection(live.connection);
  showSummary(live);
  showNodes(live.nodes, nowMs);
  drawRates(byId("rate"), live.rates, nowMs);
  const lastMinute = live.alerts.filter((alert) => nowMs - alert.storedNs / 1e6 < 60_000).length;
  showAlerts(live.alerts, lastMinute);
  showRollouts(live.rollouts, nowMs);
  showLedger(live.nodes);
}

// Screen readers hear of alerts at most every few seconds, however fast they come.
setInterval(() => {
  if (unannounced === 0) return;
  byId("alert-news").textContent = unannounced === 1 ? `Alert: ${lastNews}` : `${unannounced} new alerts; the last: ${lastNews}`;
  unannounced = 0;
}, kAnnounceMs);

draw();
live.start();
