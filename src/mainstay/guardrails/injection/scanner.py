"""Finds injections and jailbreaks by how they are built; see :mod:`.rules`. Knows no model and no prompt.

Its scores are what each rule is worth by itself, less where a phrase is only mentioned, more where it was hidden in a
coding. Where a judge is at hand, ``features`` hands it the same evidence and its verdict counts.
"""

import re
from collections.abc import Sequence
from typing import Final

from mainstay.guardrails.confusables import INVISIBLE
from mainstay.guardrails.decoding import LONGEST
from mainstay.guardrails.injection.rules import Hit, Reader
from mainstay.guardrails.normalise import normalise
from mainstay.guardrails.port import Finding

__all__ = ["InjectionScanner", "weight"]

#: What is left of a score where a phrase is mentioned, and what is added where it was encoded.
_MENTIONED, _ENCODED = 0.4, 0.15
_MOST: Final = 0.98
_UNSEEN: Final = re.compile(f"[{INVISIBLE}]{{12,256}}")
_EMOJI: Final = re.compile("[\U0001f3f4\u2600-\u27bf\U0001f300-\U0001faff]")


class InjectionScanner:
    """Finds attacks; see :class:`~mainstay.guardrails.port.Scanner`.

    ``reach`` holds for texts with at most 64 encoded parts, and for lines of at most 512 characters where what is
    encoded is a whole line (rot13, backwards).

    Args:
        untrusted: the texts are such as nobody vouches for: retrieved ones, results of tools.
        least: findings of a lower score are left out, from 0 to 1.
        reader: rules of one's own; absent, those that come with Mainstay.
    """

    def __init__(self, *, untrusted: bool = False, least: float = 0.5, reader: Reader | None = None) -> None:
        self._reader = Reader() if reader is None else reader
        self._untrusted = untrusted
        self._least = least
        self._kinds = self._reader.kinds | {"hidden"}
        # A letter may take several characters before it is read.
        self._reach = LONGEST + 4 * (self._reader.longest + 200)

    @property
    def kinds(self) -> frozenset[str]:
        """See the port."""
        return self._kinds

    @property
    def reach(self) -> int:
        """See the port."""
        return self._reach

    def scan(self, text: str) -> Sequence[Finding]:
        """See the port. Of findings that overlap the surest is kept."""
        read = normalise(text)
        found = [Finding(hit.start, hit.end, hit.rule.kind, score, hit.rule.id)
                 for hit in self._reader.read(read, untrusted=self._untrusted)
                 if (score := weight(hit)) >= self._least]  # fmt: skip
        if not text.isascii():
            found += [
                Finding(layer.start, layer.end, "hidden", 0.9, f"hidden-{layer.kind}")
                for layer in read.layers
                if layer.kind in ("tags", "selectors")
            ]
            found += [
                Finding(run.start(), run.end(), "hidden", 0.6, "invisible-run")
                for run in _UNSEEN.finditer(text)
                if _EMOJI.match(text, max(0, run.start() - 1)) is None
            ]
        return _apart(found)


def weight(hit: Hit) -> float:
    """Return what a hit is worth: its rule's score, less where it is mentioned, more where it was encoded."""
    score = hit.rule.score
    if hit.mentioned:
        return score * _MENTIONED
    return min(_MOST, score + _ENCODED) if hit.layer else score


def _apart(found: list[Finding]) -> list[Finding]:
    """Return ``found`` in order, each that overlaps a surer one left out."""
    found.sort(key=lambda one: (-one.score, one.start, one.start - one.end, one.rule))
    kept: list[Finding] = []
    for one in found:
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    kept.sort(key=lambda one: one.start)
    return kept
