# SPDX-License-Identifier: Apache-2.0
"""What a gate found, and how test runners' reports are read."""

import dataclasses
import re
import xml.etree.ElementTree


@dataclasses.dataclass
class Outcome:
    """Names of tests."""

    passed: list = dataclasses.field(default_factory=list)
    failed: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)

    def plus(self, other):
        return Outcome(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def named(self, suffix):
        """For tests that run a second time, in another way."""
        return Outcome(*([name + suffix for name in names] for names in (self.passed, self.failed, self.skipped)))

    def line(self):
        return f"{len(self.passed)} passed, {len(self.failed)} failed, {len(self.skipped)} skipped"


def one(name, ok):
    """The outcome of a thing that is one test."""
    return Outcome(passed=[name]) if ok else Outcome(failed=[name])


def read_junit(path, name_of=lambda case: case.get("name", "")):
    """A JUnit report as ctest and node write it. A report that is missing, broken or empty is one failure."""
    try:
        root = xml.etree.ElementTree.parse(path).getroot()
    except (OSError, xml.etree.ElementTree.ParseError) as error:
        return Outcome(failed=[f"the report {path.name}: {error}"])
    result = Outcome()
    for case in root.iter("testcase"):
        status = case.get("status", "run")
        # ctest says "notrun" for a skipped test and for one whose program is missing: the element tells.
        if case.find("failure") is not None or case.find("error") is not None or status == "fail":
            result.failed.append(name_of(case))
        elif case.find("skipped") is not None or status in ("notrun", "disabled"):
            message = case.find("skipped").get("message", "") if case.find("skipped") is not None else ""
            missing = "Unable to find executable" in message or name_of(case).endswith("_NOT_BUILT")
            (result.failed if missing else result.skipped).append(name_of(case))
        else:
            result.passed.append(name_of(case))
    if not (result.passed or result.failed or result.skipped):
        return Outcome(failed=[f"the report {path.name} holds no test"])
    return result


def allowed_skips(path):
    """Patterns of tests/allowed_skips.txt; each must have a reason."""
    patterns = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, reason = line.strip().partition(" ")
        if not reason.strip():
            raise ValueError(f"{path.name}:{number}: found no reason, expected one after the pattern")
        patterns.append(re.compile(pattern))
    return patterns


def judge_skips(gate, outcome, allowed):
    """Skips that nobody allowed become failures."""
    fine = [name for name in outcome.skipped if any(pattern.fullmatch(f"{gate}/{name}") for pattern in allowed)]
    bad = [f"{name} (skipped, and not in tests/allowed_skips.txt)" for name in outcome.skipped if name not in fine]
    return Outcome(outcome.passed, outcome.failed + bad, fine)
