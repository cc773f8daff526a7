"""A finished run as one value, which every report is made of, and as JSON. Knows no format but that."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mainstay.redteam.figures import Figures, Rate, Row
from mainstay.redteam.journal import About, Result, Side
from mainstay.redteam.plan import Case
from mainstay.redteam.seeds import BENIGN
from mainstay.redteam.tags import ATLAS, OWASP

__all__ = ["Finding", "Summary", "named", "to_json"]


class Finding(msgspec.Struct, frozen=True):
    """A case that came out wrong on the guarded side: an attack that succeeded, or a harmless request stopped."""

    case: Case
    result: Result


class Summary(msgspec.Struct, frozen=True):
    """What was attacked, what came of it, and what the gate says."""

    about: About
    cases: Sequence[Case]
    results: Mapping[tuple[str, Side], Result]
    figures: Figures
    problems: Sequence[str] = ()
    #: Whether any limit was set.
    gated: bool = False
    #: The configuration, as it was named; what reports point at.
    config: str = ""

    @property
    def finished(self) -> bool:
        """Whether every case was played."""
        return not any(self.figures.missing.values())

    def findings(self) -> list[Finding]:
        """Return what came out wrong, in the order of the cases."""
        found = []
        for case in self.cases:
            result = self.results.get((case.id, "guarded"))
            wrong = "blocked" if case.seed.category == BENIGN else "success"
            if result is not None and result.outcome == wrong:
                found.append(Finding(case, result))
        return found


def named(tag: str) -> str:
    """Return a tag with its name."""
    return f"{tag} {OWASP.get(tag) or ATLAS.get(tag) or ''}".strip()


def to_json(summary: Summary) -> dict[str, Any]:
    """Return the report for a script.

    Shape: ``{"ok", "route", "baseline", "refusals", "finished", "problems": [...], "errors": {side: n}, "missing":
    {side: n}, "attacks": ROW, "seeds": ROW, "harmless": ROW, "categories": [ROW], "converters": [ROW], "strategies":
    [ROW], "tags": [ROW], "findings": [{"case", "seed", "category", "converter", "strategy", "goal", "tags", "outcome",
    "why", "request_id", "excerpt"}]}``; ROW is ``{"name", "guarded": RATE, "blocked", "baseline": RATE, "difference",
    "p"}``, the last three null without a baseline, and RATE ``{"count", "total", "rate", "low", "high"}``.
    """
    found = summary.figures
    return {
        "ok": not summary.problems,
        "route": summary.about.route,
        "baseline": summary.about.baseline or None,
        "refusals": summary.about.refusals,
        "finished": summary.finished,
        "problems": list(summary.problems),
        "errors": dict(found.errors),
        "missing": dict(found.missing),
        "attacks": _row(found.attacks),
        "seeds": _row(found.seeds),
        "harmless": _row(found.harmless),
        **{
            name: [_row(row) for row in getattr(found, name)]
            for name in ("categories", "converters", "strategies", "tags")
        },
        "findings": [_finding(one) for one in summary.findings()],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "guarded": _rate(row.guarded),
        "blocked": row.blocked,
        "baseline": None if row.baseline is None else _rate(row.baseline),
        "difference": None if row.pair is None else round(row.pair.difference, 6),
        "p": None if row.pair is None else row.pair.p,
    }


def _rate(rate: Rate) -> dict[str, Any]:
    shares = {name: round(getattr(rate, at), 6) for name, at in (("rate", "share"), ("low", "low"), ("high", "high"))}
    return {"count": rate.count, "total": rate.total, **shares}


def _finding(found: Finding) -> dict[str, Any]:
    case, result = found.case, found.result
    return {
        "case": case.id,
        "seed": case.seed.id,
        "category": case.seed.category,
        "converter": case.converter,
        "strategy": case.strategy,
        "goal": case.seed.goal,
        "tags": list(case.tags),
        "outcome": result.outcome,
        "why": result.why,
        "request_id": result.request_id,
        "excerpt": result.excerpt,
    }
