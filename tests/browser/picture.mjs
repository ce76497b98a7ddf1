// SPDX-License-Identifier: Apache-2.0
// Takes the picture of the page for the README: node tests/browser/picture.mjs OUT.png [ADDRESS] [light|dark] [WIDTH] [SECONDS]
// With the address of a hub it watches that for some seconds first, so that the curves have something to show. Without an address it shows the fixture's two nodes after a while of running.
import { moveOn, startServer } from "../../web/test/server.mjs";
import { launch, open } from "./browser.mjs";

const [out, address = "", colorScheme = "light", width = "1280", seconds = "5"] = process.argv.slice(2);
const server = address === "" ? await startServer() : null;
const browser = await launch();
const page = await open(browser, address === "" ? server.url : address, { colorScheme, viewport: { width: Number(width), height: 900 } });
if (server !== null) {
  await page.clock.install();
  await page.locator("#connection", { hasText: "live" }).waitFor();
  for (let second = 1; second <= 120; ++second) {
    await page.clock.setFixedTime(Date.now() + (second - 120) * 1000);
    moveOn(server, second);
    await page.clock.runFor(1000);
    await page.waitForTimeout(15);
  }
} else {
  await page.waitForTimeout(Number(seconds) * 1000);
}
await page.screenshot({ path: out, fullPage: true });
await browser.close();
await server?.stop();
