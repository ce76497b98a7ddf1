# SPDX-License-Identifier: Apache-2.0
"""Builds and their tests."""

import re

from checks.outcome import Outcome, one, read_junit

# Rooms whose code runs on several threads.
CONCURRENT = r"^(core|wire|edge|fleet)(/|$)"
FUZZ_SECONDS = 30
# What runs our own engine: its kernels, its plans beside the reference, ONNX's tests and models of others through it.
ARM64_TARGETS = ("runtime_kernels_test", "runtime_engine_test", "runtime_conformance_test", "models_native_test")
ARM64_TESTS = r"^(runtime/(kernels|engine|conformance)|models/native)/"
# It has no dot products of bytes. Tests with a parameter an ISA have the names of those that the newest processor has.
ARM64_OLD_CPU = "cortex-a53"
ARM64_OLD_TESTS = r"^(runtime/kernels|models/native)/"


def build(context, preset, targets=()):
    configured = context.run(f"{preset}-configure", "cmake", "--preset", preset)
    if configured != 0:
        return one("configure", False)
    command = ["cmake", "--build", "--preset", preset, "-j", str(context.jobs)]
    if targets:
        command += ["--target", *targets]
    return one("build", context.run(f"{preset}-build", *command) == 0)


def test(context, preset, *selection, timeout=3000, extra=None, log=None):
    """`log` names the log and the report, `extra` are variables of the tests' environment."""
    log = log or preset
    report = context.logs / f"{log}.xml"
    report.unlink(missing_ok=True)
    command = ["ctest", "--preset", preset, "-j", str(context.jobs), "--output-junit", report, *selection]
    context.run(f"{log}-test", *command, timeout=timeout, extra=extra, show=0)
    outcome = read_junit(report)
    if outcome.failed:
        print(f"  the tests' output: build/check/{log}-test.log")
        for line in failure_lines(context.output(f"{log}-test")):
            print(f"  | {line}")
    return outcome


def failure_lines(output, limit=80):
    """What the failed tests wrote, in short."""
    lines = []
    wanted = re.compile(r"\*\*\*Failed|\*\*\*Timeout|\*\*\*Exception|: Failure$|^\S+:\d+: |ERROR: \w+Sanitizer|runtime error|SUMMARY:|moru: ")
    tail = 0
    for line in output.splitlines():
        if wanted.search(line):
            tail = 6
        if tail > 0 and line.strip():
            lines.append(line[:240])
            tail -= 1
    return lines[:limit]


def dev(context):
    outcome = build(context, "dev")
    # Without a whole build the tests would be those of an older one.
    return outcome if outcome.failed else outcome.plus(test(context, "dev"))


def asan(context):
    outcome = build(context, "asan")
    return outcome if outcome.failed else outcome.plus(test(context, "asan", "-LE", "e2e|perf"))


def clang(context):
    """The trainer's library, which the sanitizers' builds leave out: with 'asan' clang builds all there is."""
    return build(context, "clang", ["moru_trainer"])


def arm64(context):
    """Cross-compiled, in qemu. Each test runs all ISAs of its machine; an older processor shows that none needs what only newer ones have."""
    outcome = build(context, "arm64", ARM64_TARGETS)
    if outcome.failed:
        return outcome
    outcome = outcome.plus(test(context, "arm64", "-R", ARM64_TESTS))
    old = test(context, "arm64", "-R", ARM64_OLD_TESTS, extra={"QEMU_CPU": ARM64_OLD_CPU}, log=f"arm64-{ARM64_OLD_CPU}")
    return outcome.plus(old.named(f" on {ARM64_OLD_CPU}"))


def ninja_targets(context, preset):
    context.run(f"{preset}-targets", "ninja", "-C", context.root / "build" / preset, "-t", "targets", "all", show=0)
    return re.findall(r"^(\w+): phony$", context.output(f"{preset}-targets"), re.MULTILINE)


def tsan(context):
    if context.run("tsan-configure", "cmake", "--preset", "tsan") != 0:
        return one("configure", False)
    rooms = re.compile(CONCURRENT.replace("(/|$)", "(_|$)"))
    targets = sorted({name for name in ninja_targets(context, "tsan") if name.endswith("_test") and rooms.match(name)})
    outcome = build(context, "tsan", targets)
    return outcome if outcome.failed else outcome.plus(test(context, "tsan", "-R", CONCURRENT, "-LE", "e2e|perf", "-E", "_NOT_BUILT"))


def fuzz(context):
    """A short run of each fuzzer of the build 'asan' from its corpus; the corpus itself is replayed by every build's tests."""
    if context.run("asan-configure", "cmake", "--preset", "asan") != 0:
        return one("configure", False)
    targets = sorted({name for name in ninja_targets(context, "asan") if name.startswith("fuzz_")})
    if not targets:
        return Outcome(failed=["found no fuzzer, expected targets fuzz_*"])
    outcome = build(context, "asan", targets)
    if outcome.failed:
        return outcome
    for name in targets:
        found = context.logs / f"found-{name}"
        found.mkdir(exist_ok=True)
        fresh = context.root / "build" / "asan" / "fresh_corpus" / name
        fresh.mkdir(parents=True, exist_ok=True)
        corpus = context.root / "fuzz" / "corpus" / name.removeprefix("fuzz_")
        arguments = [f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048", f"-artifact_prefix={found}/", "-print_final_stats=1"]
        code = context.run(name, context.root / "build" / "asan" / "bin" / name, *arguments, fresh, *([corpus] if corpus.is_dir() else []), timeout=FUZZ_SECONDS + 120)
        outcome = outcome.plus(one(name, code == 0))
    return outcome
