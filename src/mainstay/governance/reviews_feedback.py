"""What decisions say of the rails: how often each was right, and labelled examples to calibrate it with. Pure.

A reviewer labels what was held, and nothing of what passed: precision can be told from it, recall cannot.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from mainstay.governance.reviews_store import ReviewRow

__all__ = ["RailStats", "example_of", "stats_of", "wilson"]

#: Of the normal distribution, for an interval of 95 %.
_Z: Final = 1.959963984540054


class RailStats(msgspec.Struct, frozen=True):
    """How one rail did in the eyes of its reviewers.

    ``right`` and ``wrong`` count its labels; ``precision`` is the part that was right, with its 95 % interval by
    Wilson's score; None without a label.
    """

    rail: str
    held: int
    open: int
    approved: int
    denied: int
    expired: int
    right: int
    wrong: int
    precision: float | None
    low: float | None
    high: float | None


def stats_of(counts: Mapping[tuple[str, str, str], int]) -> list[RailStats]:
    """Return the figures of every rail, from counts by rail, status and label."""
    found = []
    for rail in sorted({rail for rail, _, _ in counts}):
        mine = {(status, label): count for (name, status, label), count in counts.items() if name == rail}

        def by(status: str = "", label: str = "", mine: dict[tuple[str, str], int] = mine) -> int:
            return sum(n for (s, one), n in mine.items() if status in ("", s) and label in ("", one))

        right, wrong = by(label="true_positive"), by(label="false_positive")
        low, high = wilson(right, right + wrong) or (None, None)
        found.append(
            RailStats(
                rail=rail,
                held=by(),
                open=by("open"),
                approved=by("approved"),
                denied=by("denied"),
                expired=by("expired"),
                right=right,
                wrong=wrong,
                precision=None if low is None else right / (right + wrong),
                low=low,
                high=high,
            )
        )
    return found


def wilson(successes: int, trials: int) -> tuple[float, float] | None:
    """Return the 95 % interval of a proportion by Wilson's score (1927), None without a trial."""
    if trials <= 0:
        return None
    part, spread = successes / trials, _Z * _Z / trials
    centre = (part + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(part * (1 - part) / trials + spread / (4 * trials))
    # Where every trial ended alike, the end is the end itself, and not what rounding makes of it.
    low = max(0.0, centre - half) if successes else 0.0
    return low, min(1.0, centre + half) if successes < trials else 1.0


def example_of(row: ReviewRow, text: str | None = None) -> dict[str, Any]:
    """Return a decision as an example to calibrate with, with what was said only where it is given."""
    found: dict[str, Any] = {
        "id": row.id,
        "at": row.at,
        "route": row.route,
        "rail": row.rail,
        "where": row.where,
        "kinds": msgspec.json.decode(row.kinds or "{}"),
        "score": row.score,
        "decision": row.status,
        "label": row.label,
        "reason": row.reason,
    }
    return found if text is None else found | {"text": text}
