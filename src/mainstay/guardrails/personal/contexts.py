"""Words near a place that say what it is: "born", "tel.", "Karte". They come in packs, one for each language.

It knows neither patterns nor names.
"""

import json
import re
from collections.abc import Collection, Iterable
from importlib.resources import files
from typing import Final

__all__ = ["LOCALES", "NEAR", "Contexts", "open_contexts"]

LOCALES: Final = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv")
#: Characters before a place that are looked at for words of its context, and characters after it.
NEAR: Final = 64
_AFTER: Final = 24


class Contexts:
    """Words by topic.

    Args:
        words: the words of each topic, of all languages together.
    """

    def __init__(self, words: dict[str, set[str]]) -> None:
        self._patterns = {topic: _pattern(found) for topic, found in words.items()}

    def near(self, topic: str, text: str, start: int, end: int) -> bool:
        """Whether a word of ``topic`` stands before ``start`` or shortly after ``end``."""
        pattern = self._patterns.get(topic)
        if pattern is None:
            return False
        # One character more on each side, so that a word cut by the edge is not taken for a whole one.
        low, high = max(0, start - NEAR - 1), min(len(text), end + _AFTER + 1)
        before = text[low:start] if low == 0 else f"\x00{text[low + 1 : start]}"
        if low and text[low].isalnum():
            before = re.sub(r"\A\x00\w+", "", before)
        if pattern.search(before):
            return True
        after = text[end:high]
        if high < len(text) and after[-1:].isalnum():
            after = re.sub(r"\w+\Z", "", after)
        return pattern.search(after) is not None


def open_contexts(locales: Iterable[str] = LOCALES, more: dict[str, Collection[str]] | None = None) -> Contexts:
    """Load the packs of ``locales`` and add ``more`` words by topic."""
    packs = json.loads((files("mainstay.guardrails.personal") / "data" / "contexts.json").read_text(encoding="utf-8"))
    words: dict[str, set[str]] = {topic: set(found) for topic, found in (more or {}).items()}
    for locale in locales:
        for topic, found in packs[locale].items():
            words.setdefault(topic, set()).update(found)
    return Contexts(words)


def _pattern(words: Collection[str]) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(sorted(map(re.escape, words), key=lambda word: -len(word)))})(?!\w)", re.I)
