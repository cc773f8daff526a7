"""Verdicts in the form of ``/v1/moderations``, from our own guards: for a route that asks no vendor.

It knows no wire: it takes texts and returns what stands under ``results``. Milliseconds a text, so it runs in a thread.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from mainstay.guardrails.models import Guard, open_guard

__all__ = ["Moderator"]

#: Our heads by the wire's categories, and one that the wire has not: most of what it holds is merely rude.
_CATEGORIES: Final = {
    "harassment": "harassment",
    "harassment/threatening": "threat",
    "hate": "hate",
    "illicit": "illicit",
    "self-harm": "self_harm",
    "sexual": "sexual",
    "violence": "violence",
    "profanity": "profanity",
}


class Moderator:
    """Judges texts; ``thresholds`` by category take the place of the guards' own.

    Raises:
        StartError: a package is missing, or the weights are not the ones that are known.
    """

    def __init__(self, thresholds: Mapping[str, float] | None = None) -> None:
        self._guards: Sequence[Guard] = (open_guard("moderation"), open_guard("profanity"))
        own = {head: limit for guard in self._guards for head, limit in guard.thresholds.items()}
        self._limits = {name: own[head] for name, head in _CATEGORIES.items()} | dict(thresholds or {})

    def moderate(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Return ``flagged``, ``categories`` and ``category_scores`` for each text; of a long text its worst window."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> dict[str, Any]:
        heads: dict[str, float] = {}
        for guard in self._guards:
            starts = range(0, max(1, len(text)), guard.window)
            for row in guard.judge([text[start : start + guard.window] for start in starts]):
                for head, value in row.items():
                    heads[head] = max(value, heads.get(head, 0.0))
        scores = {name: heads[head] for name, head in _CATEGORIES.items()}
        categories = {name: score >= self._limits[name] for name, score in scores.items()}
        return {"flagged": any(categories.values()), "categories": categories, "category_scores": scores}
