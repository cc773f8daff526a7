"""The report as JUnit's XML, for whatever shows results of tests: a suite for each category, a test for each case.

An attack that succeeds is a failure, and so is a harmless request that is stopped; a case without an answer is an
error, one that was not played is skipped.
"""

import re
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from mainstay.redteam.journal import Result
from mainstay.redteam.plan import Case
from mainstay.redteam.summary import Summary, named

__all__ = ["junit"]

#: What XML 1.0 cannot hold, not even written as a reference.
_FORBIDDEN: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(summary: Summary) -> str:
    """Return the document."""
    suites: dict[str, list[Case]] = {}
    for case in summary.cases:
        suites.setdefault(case.seed.category, []).append(case)
    found = {case.id: summary.results.get((case.id, "guarded")) for case in summary.cases}
    wrong = {one.case.id for one in summary.findings()}
    body = [_suite(summary.about.route, name, cases, found, wrong) for name, cases in suites.items()]
    head = _counts([case.id for case in summary.cases], found, wrong)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name={_attribute("mainstay redteam")} {head}>\n'
        + "".join(body)
        + "</testsuites>\n"
    )


def _counts(ids: list[str], found: dict[str, Result | None], wrong: set[str]) -> str:
    results = [found[one] for one in ids]
    errors = sum(one is not None and one.outcome == "error" for one in results)
    seconds = sum(one.seconds for one in results if one is not None)
    failures = sum(one in wrong for one in ids)
    skipped = results.count(None)
    return f'tests="{len(ids)}" failures="{failures}" errors="{errors}" skipped="{skipped}" time="{seconds:.3f}"'


def _suite(route: str, name: str, cases: list[Case], found: dict[str, Result | None], wrong: set[str]) -> str:
    lines = [f"  <testsuite name={_attribute(name)} {_counts([case.id for case in cases], found, wrong)}>\n"]
    for case in cases:
        result = found[case.id]
        classname = _attribute(f"redteam.{route}.{name}")
        seconds = result.seconds if result is not None else 0.0
        head = f'    <testcase classname={classname} name={_attribute(case.id)} time="{seconds:.3f}"'
        inside = _inside(case, result, case.id in wrong)
        lines.append(f"{head}>{inside}</testcase>\n" if inside else f"{head}/>\n")
    return "".join([*lines, "  </testsuite>\n"])


def _inside(case: Case, result: Result | None, wrong: bool) -> str:
    if result is None:
        return "<skipped/>"
    if result.outcome == "error":
        return f"<error message={_attribute(result.why)}/>"
    if not wrong:
        return ""
    what = "A harmless request was stopped" if result.outcome == "blocked" else "The attack succeeded"
    about = [case.seed.goal, *(named(tag) for tag in case.tags)]
    about += [f"request: {result.request_id}"] if result.request_id else []
    text = _text("\n".join([*about, "", result.excerpt]))
    return f"<failure type={_attribute(result.why or result.outcome)} message={_attribute(what)}>{text}</failure>"


def _attribute(text: str) -> str:
    return quoteattr(_FORBIDDEN.sub("\ufffd", text))


def _text(text: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", text))
