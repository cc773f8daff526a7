"""How much of a text that still comes is final: what was found there is found whatever follows.

Nothing that is found goes across a common word of five letters or more, written small and by itself; only names,
numbers and what is written in one run of characters are ever part of it. So all is final up to such a word once enough
follows it, and from there on up to the first word that may be part of something. It knows neither patterns nor labels,
but what they cannot contain.
"""

import re
from collections.abc import Sequence
from typing import Final

from mainstay.guardrails.personal.features import Token

__all__ = ["horizon"]

#: Words that tell whether a word is a name, on each side of it, and one that may grow.
_WORDS: Final = 8
#: Characters behind a place in which a word may say what it is, and what cuts that word short.
_BEHIND: Final = 28
_BREAK: Final = re.compile(r"(?<=[ \n])[a-z]{5,24}(?=[.,;:!?]?[ \n])")
#: The months that patterns of dates know in small letters.
_MONTHS: Final = frozenset(
    [
        *("enero", "febrero", "marzo", "abril", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre"),
        *("diciembre", "avril", "juillet", "septembre", "octobre", "novembre"),
    ]
)
#: What may begin something of several words, or be known by words that stand further on: anything but small letters.
_SUSPECT: Final = re.compile(rf"(?<!\S)(?:\S*[^\sa-z.,;:!?'\"`@/_*#|-]\S*|(?:mayo|{'|'.join(sorted(_MONTHS))})\b\S*)")
_LAST: Final = re.compile(r"\S*\Z")


def horizon(text: str, tokens: Sequence[Token]) -> int:
    """Return how many characters of ``text`` are final, 0 where nothing tells.

    Args:
        text: the end of what came so far, from a blank on.
        tokens: its words, where names are looked for.
    """
    size = len(text)
    closed = {token.start for token in tokens if not token.open}
    words = {token.start for token in tokens}
    breaks = [
        match.span()
        for match in _BREAK.finditer(text)
        if match[0] not in _MONTHS and (match.start() in closed or match.start() not in words)
    ]
    # Patterns: all is final up to the last break that enough follows.
    safe = next((start for start, _ in reversed(breaks) if start <= size - _BEHIND), None)
    if safe is None:
        return 0
    last = _LAST.search(text)
    assert last is not None
    unsure = last.start()
    if (suspect := _SUSPECT.search(text, safe)) is not None:
        unsure = min(unsure, suspect.start())
    # Names: a word is what it is once enough words and characters follow it.
    for number, token in enumerate(tokens):
        if token.open and (number >= len(tokens) - _WORDS or token.end > size - _BEHIND):
            unsure = min(unsure, token.start)
            break
    # What is not final goes back to the break before it at most.
    back = next((end for _, end in reversed(breaks) if end <= unsure), None)
    if back is None:
        return 0
    if (suspect := _SUSPECT.search(text, back)) is not None:
        unsure = min(unsure, suspect.start())
    return next((token.start for token in tokens if token.open and back <= token.start < unsure), unsure)
