"""Which of several findings in one place stands. Pure; it knows neither rules nor texts."""

from bisect import bisect_left
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Final

from mainstay.guardrails.port import Finding

__all__ = ["settle"]

_KNOWN: Final = 0.9


def settle(findings: Iterable[Finding], text: str) -> list[Finding]:
    """Return findings in order and without overlaps: the surest stand, of equally sure ones the longest.

    Of one that loses, what sticks out before or after the winner stays where it says anything of a person: words, if a
    model found it, and digits.
    """
    waiting = [(_rank(one), number, one) for number, one in enumerate(findings)]
    heapify(waiting)
    number = len(waiting)
    starts: list[int] = []
    taken: list[Finding] = []
    while waiting:
        one = heappop(waiting)[2]
        place = bisect_left(starts, one.end)
        # What is taken does not overlap, so only the last that begins before its end can reach into it.
        other = taken[place - 1] if place else None
        if other is None or other.end <= one.start:
            starts.insert(place, one.start)
            taken.insert(place, one)
            continue
        for part in (_cut(one, one.start, other.start, text), _cut(one, other.end, one.end, text)):
            if part is not None:
                number += 1
                heappush(waiting, (_rank(part), number, part))
    return taken


def _cut(finding: Finding, start: int, end: int, text: str) -> Finding | None:
    """Return what of ``finding`` lies between, without the marks at its edges."""
    while start < end and not text[start].isalnum():
        start += 1
    while start < end and not text[end - 1].isalnum():
        end -= 1
    part = text[start:end]
    if end - start < 2 or not (_guessed(finding) or sum(mark.isdigit() for mark in part) > 3):
        return None
    return Finding(start, end, finding.kind, finding.score, finding.rule)


def _guessed(finding: Finding) -> bool:
    return finding.rule == "tagger" or finding.rule.startswith("presidio:")


def _rank(finding: Finding) -> tuple[bool, float, int, int, str]:
    # What is known by its writing is never broken up by what a model takes for a name.
    known = not _guessed(finding) and finding.score >= _KNOWN
    return (not known, -round(finding.score, 2), finding.start - finding.end, finding.start, finding.kind)
