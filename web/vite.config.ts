// SPDX-License-Identifier: Apache-2.0
import { defineConfig } from "vite";

// Everything lands in index.html and assets/, which the hub embeds. Nothing is inlined: the hub's content security
// policy allows only files of its own.
export default defineConfig({
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, target: "es2022" },
});
