// SPDX-License-Identifier: Apache-2.0
// Debian's chromium, driven by playwright-core (installed in web/, or in the folder MORU_WEB).
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const { MORU_WEB } = process.env;
const require = createRequire(MORU_WEB === undefined ? new URL("../../web/package.json", import.meta.url) : join(MORU_WEB, "package.json"));
const { chromium } = require("playwright-core");

export function launch() {
  return chromium.launch({
    executablePath: process.env.MORU_CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
      "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ],
  });
}

/** Opens `url` and collects what must not happen: errors, and requests to anywhere else. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    page.problems.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  const origin = new URL(url).origin;
  page.on("request", (request) => {
    if (new URL(request.url()).origin !== origin) page.problems.push(`foreign request: ${request.url()}`);
  });
  await page.goto(url);
  return page;
}

/** Waits until the page holds the text; the error shows what it held instead. */
export async function holds(page, selector, text, timeout = 10_000) {
  await page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout }).catch(async () => {
    assert.fail(`found '${await page.locator(selector).allInnerTexts()}', expected '${text}'`);
  });
}
