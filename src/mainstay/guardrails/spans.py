"""Places of a text that are masked or hidden, put in order.

Pure; stands under ``incoming``.
"""

from collections.abc import Sequence

from mainstay.guardrails.looking import Sight
from mainstay.guardrails.rails import Rail

__all__ = ["Span", "joined", "spans_of"]

#: From, to, the kind, and whether it is hidden behind a pseudonym instead of masked.
Span = tuple[int, int, str, bool]


def spans_of(rails: Sequence[Rail], sight: Sight) -> dict[int, list[Span]]:
    """Return by text what is masked (False) or hidden (True), in order and apart."""
    found: dict[int, list[Span]] = {}
    for number, those in sorted(sight.found.items()):
        rail = rails[number]
        if rail.do in ("mask", "pseudonymise") and rail.enforce:
            for index, findings in those.items():
                hides = rail.do == "pseudonymise"
                found.setdefault(index, []).extend((one.start, one.end, one.kind, hides) for one in findings)
    return {index: joined(spans) for index, spans in found.items()}


def joined(spans: Sequence[Span]) -> list[Span]:
    """Return ``spans`` in order; those that overlap become one, of the kind of the first in ``spans``, which is masked
    if one of them is."""
    if len(spans) < 2:
        return list(spans)
    done: list[tuple[int, int, int, bool]] = []
    for start, end, rank, hides in sorted(
        (start, end, rank, hides) for rank, (start, end, _, hides) in enumerate(spans)
    ):
        if done and start < done[-1][1]:
            last = done[-1]
            done[-1] = (last[0], max(last[1], end), min(last[2], rank), last[3] and hides)
        else:
            done.append((start, end, rank, hides))
    return [(start, end, spans[rank][2], hides) for start, end, rank, hides in done]
