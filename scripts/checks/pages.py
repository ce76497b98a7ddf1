# SPDX-License-Identifier: Apache-2.0
"""The hub's page: types, functions, and the page in a browser."""

from checks.outcome import one, read_junit


def packages(context):
    """npm's packages in web/, as the lock file says."""
    web = context.root / "web"
    stamp = web / "node_modules" / ".moru-lock"
    lock = (web / "package-lock.json").read_bytes()
    if stamp.exists() and stamp.read_bytes() == lock:
        return True
    if context.run("npm-ci", "npm", "ci", "--no-fund", "--no-audit", "--loglevel=error", cwd=web) != 0:
        return False
    stamp.write_bytes(lock)
    return True


def types(context):
    if not packages(context):
        return one("packages", False)
    return one("types", context.run("page-types", context.node, "node_modules/typescript/bin/tsc", "--noEmit", cwd=context.root / "web") == 0)


def node_tests(context, log, files, extra=None):
    report = context.logs / f"{log}.xml"
    report.unlink(missing_ok=True)
    command = [context.node, "--test", "--test-reporter=spec", "--test-reporter-destination=stdout", "--test-reporter=junit", f"--test-reporter-destination={report}"]
    context.run(log, *command, *files, timeout=600, extra=extra)
    return read_junit(report)


def unit(context):
    return node_tests(context, "page-unit", sorted((context.root / "web" / "test").glob("*.test.ts")))


def browser(context):
    if not packages(context):
        return one("packages", False)
    dist = context.root / "build" / "page"
    built = context.run("page-build", context.node, "node_modules/vite/bin/vite.js", "build", "--outDir", dist, "--emptyOutDir", cwd=context.root / "web")
    if built != 0:
        return one("build", False)
    return node_tests(context, "page", [context.root / "tests" / "browser" / "page_test.mjs"], {"MORU_WEB_DIST": str(dist)})
