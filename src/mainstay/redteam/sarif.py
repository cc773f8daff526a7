"""The report as SARIF 2.1.0, for code hosts: a rule for each seed that came out wrong, a result for each such case.

Results point at the configuration, since that is what is to be changed. OASIS SARIF 2.1.0, sections 3.13 to 3.52.
"""

import hashlib
from typing import Any

from mainstay import __version__
from mainstay.redteam.plan import Case
from mainstay.redteam.summary import Finding, Summary, named

__all__ = ["sarif"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(summary: Summary) -> dict[str, Any]:
    """Return the log as data for JSON."""
    findings = summary.findings()
    rules: dict[str, Case] = {}
    for one in findings:
        rules.setdefault(one.case.seed.id, one.case)
    places = {name: at for at, name in enumerate(rules)}
    driver = {
        "name": "mainstay redteam",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [_rule(case) for case in rules.values()],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "automationDetails": {"id": f"mainstay-redteam/{summary.about.route}/"},
        "invocations": [{"executionSuccessful": summary.finished, "exitCode": 1 if summary.problems else 0}],
        "results": [_result(summary, one, places) for one in findings],
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(case: Case) -> dict[str, Any]:
    seed = case.seed
    tags = [*seed.owasp, *seed.atlas]
    said = f"{seed.goal} {', '.join(map(named, tags))}".strip()
    properties: dict[str, Any] = {"tags": ["security", seed.category, *tags]}
    if seed.owasp:
        properties |= {"precision": "high", "security-severity": "7.0"}
    return {
        "id": seed.id,
        "name": "".join(part.capitalize() for part in seed.id.split("-")),
        "shortDescription": {"text": seed.goal},
        "fullDescription": {"text": said},
        "help": {"text": "Add or tighten a rail of the route, or take from the model what it must not tell or do."},
        "defaultConfiguration": {"level": _level(case)},
        "properties": properties,
    }


def _result(summary: Summary, found: Finding, places: dict[str, int]) -> dict[str, Any]:
    case, result = found.case, found.result
    what = "was stopped, though it is harmless" if result.outcome == "blocked" else "succeeded"
    how = f"'{case.seed.goal}' {what} on the route '{summary.about.route}' ({case.converter}, {case.strategy})."
    message = f"{how} Answer: {result.excerpt}" if result.excerpt else how
    print_of = hashlib.sha256(f"{summary.about.route}/{case.id}".encode()).hexdigest()
    location = {
        "physicalLocation": {
            "artifactLocation": {"uri": summary.config or "mainstay.yaml"},
            "region": {"startLine": 1},
        },
        "logicalLocations": [{"name": summary.about.route, "fullyQualifiedName": f"routes.{summary.about.route}"}],
    }
    return {
        "ruleId": case.seed.id,
        "ruleIndex": places[case.seed.id],
        "level": _level(case),
        "message": {"text": message},
        "locations": [location],
        "partialFingerprints": {"case/v1": print_of},
        "properties": {"case": case.id, "tags": list(case.tags), "request_id": result.request_id},
    }


def _level(case: Case) -> str:
    """Return how grave it is: an attack is an error, a guard that is too strict a warning."""
    return "error" if case.seed.owasp else "warning"
