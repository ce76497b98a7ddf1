// SPDX-License-Identifier: Apache-2.0
// The hub's page and API as the page sees them, for tests and for looking at the page:
//   node web/test/server.mjs [PORT]     serves web/dist with moving figures until interrupted
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { alert, node, rollouts } from "./fixture.mjs";

const kTypes = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
const kPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'";
const kDist = process.env.MORU_WEB_DIST ?? fileURLToPath(new URL("../dist", import.meta.url));

/** Starts on a free port of the loopback interface. `state` may be changed while it runs. */
export async function startServer(port = 0) {
  const nowMs = Date.now();
  const state = {
    nodes: [node("line-a", 9412, 199.8, nowMs), node("line-b", 9387, 200.3, nowMs)],
    rollouts: rollouts(nowMs),
    alerts: Array.from({ length: 24 }, (_, i) => alert(i + 1, nowMs - (24 - i) * 2600)),
    refuse: false,
    events: true,
  };
  const listeners = new Set();
  const answers = {
    "/v1/nodes": () => ({ nodes: state.nodes }),
    "/v1/rollouts": () => ({ rollouts: state.rollouts }),
    "/v1/records": () => ({ records: state.alerts }),
    "/v1/summary": () => ({ nodes: state.nodes.length, online: state.nodes.filter((n) => n?.online).length, items_per_second: 400.1, alerts: state.alerts.length, records: 18_812 }),
  };
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    if (path.startsWith("/v1/") && state.refuse) {
      response.writeHead(401, { "Content-Type": "application/json" }).end('{"error": "no operator token, expected one"}');
    } else if (path === "/v1/events" && state.events) {
      response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
      response.write(": hello\n\n");
      listeners.add(response);
      response.on("close", () => listeners.delete(response));
    } else if (path in answers) {
      response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answers[path]()));
    } else {
      await sendFile(path, response);
    }
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    state,
    url: `http://127.0.0.1:${server.address().port}/`,
    send(event, body) {
      for (const listener of listeners) listener.write(`event: ${event}\ndata: ${JSON.stringify(body)}\n\n`);
    },
    listening: () => listeners.size,
    cutEvents() {
      state.events = false;
      for (const listener of listeners) listener.destroy();
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function sendFile(path, response) {
  const file = join(kDist, normalize(path === "/" ? "/index.html" : path));
  try {
    const bytes = await readFile(file);
    response.writeHead(200, { "Content-Type": kTypes[extname(file)] ?? "application/octet-stream", "Content-Security-Policy": kPolicy }).end(bytes);
  } catch {
    response.writeHead(404).end();
  }
}

/** Figures that move as a running line's do: one step a second. */
export function moveOn(server, second) {
  const nowMs = Date.now();
  const wave = (i) => 200 + 2.4 * Math.sin(second / 3 + i * 2) + (second > 60 && second < 68 && i === 1 ? -38 : 0);
  server.state.nodes = server.state.nodes.map((old, i) => node(old.node, old.state.items + Math.round(wave(i)), wave(i), nowMs));
  server.send("nodes", { nodes: server.state.nodes });
  if (second % 2 === 0) {
    const next = alert(server.state.alerts.length + 1, nowMs);
    server.state.alerts.push(next);
    server.send("alert", next);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await startServer(Number(process.argv[2] ?? 0));
  console.log(server.url);
  let second = 0;
  setInterval(() => moveOn(server, ++second), 1000);
}
