"""Finds passages of a base, and of the run that fills it, that say nearly the same as a new one.

For a few new documents likely passages are looked up by their rarest words; for many the whole base is read once. What
decides is ``nearness``.
"""

import re
from collections.abc import Mapping
from typing import Final

from mainstay.grounding.nearness import Nearness
from mainstay.grounding.port import Access, Meta
from mainstay.grounding.shelf import Shelf

__all__ = ["NEAR_DUPLICATE", "Duplicates"]

#: The flag of such passages.
NEAR_DUPLICATE: Final = "near_duplicate"
_WORD: Final = re.compile(r"\w{4,40}")
#: Words that a passage is looked up by, and passages that are looked at for each.
_WORDS: Final = 6
_HITS: Final = 4
#: Documents that are looked up one by one before the base is read; where it has more than so many, it never is.
_ONE_BY_ONE: Final = 32
_READ: Final = 20_000


class Duplicates:
    """What new passages are compared with.

    Args:
        shelf: the base.
        known: its documents, by name.
        version: which version of it.
    """

    def __init__(self, shelf: Shelf, known: Mapping[str, Meta], version: str) -> None:
        self._shelf, self._known, self._version = shelf, known, version
        self._nearness = Nearness()
        # Whoever may read them: two passages are alike for all that.
        self._access = Access(frozenset(group for meta in known.values() for group in meta.groups))
        self._seen: set[str] = set()
        self._begun: set[str] = set()
        self._whole = not known

    def begin(self, document: str) -> None:
        """Begin a document: what was known of it so far is replaced."""
        self._begun.add(document)
        if not self._whole and len(self._begun) > _ONE_BY_ONE and len(self._known) <= _READ:
            self._whole = True
            for other in self._known.keys() - self._begun:
                for passage in self._shelf.passages(other, self._version):
                    self._take(other, passage.name, passage.text, passage.flags)
        self._nearness.drop(document)

    def check(self, document: str, text: str) -> bool:
        """Return whether a passage is near another; if not, it is noted, and others may be near it."""
        if not self._whole and len(self._begun) <= _ONE_BY_ONE:
            self._look_up(text)
        return self._nearness.check(document, text) is not None

    def _look_up(self, text: str) -> None:
        # Long words are rare ones, near enough.
        words = sorted(dict.fromkeys(_WORD.findall(text)), key=len, reverse=True)[:_WORDS] or text.split()[:_WORDS]
        with self._shelf.pin(self._version) as pinned:
            hits = pinned.lexical(words, self._access, _HITS)
            for source in pinned.read([hit.row for hit in hits], self._access).values():
                self._take(source.document, source.passage, source.text, source.flags)

    def _take(self, document: str, name: str, text: str, flags: tuple[str, ...]) -> None:
        # What is near another stands for none itself; and what a document of this run said before is replaced.
        if name not in self._seen and NEAR_DUPLICATE not in flags and document not in self._begun:
            self._nearness.add(document, text)
        self._seen.add(name)
