"""Kept answers as a place that is searched for a subject: found by the record that an answer was made for, or by its
words. Blocks."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Final

import msgspec

from mainstay.caching.exact import about
from mainstay.caching.port import Entry
from mainstay.caching.replay import said, unpack
from mainstay.caching.service import Shelf
from mainstay.core.subject import Subject, Trace
from mainstay.store.sealing import Seal, SealLost

__all__ = ["CachePlace"]

_PAGE: Final = 200


class CachePlace:
    """Implements :class:`~mainstay.core.subject.Place`.

    Args:
        open_kept: opens what is kept; closed again when the search is over.
        seal: opens what is sealed.
    """

    name = "cache"

    def __init__(self, open_kept: Callable[[], Shelf], seal: Seal) -> None:
        self._open = open_kept
        self._seal = seal

    def find(self, subject: Subject) -> Iterator[Trace]:
        """Yield what is kept of a subject; what cannot be opened any more is nobody's."""
        with closing(self._open()) as shelf:
            for page in self._found(shelf, subject):
                yield from page.values()

    def erase(self, subject: Subject, removed: Callable[[Trace], None]) -> None:
        """Remove what is kept of a subject, and tell of each once it is gone."""
        with closing(self._open()) as shelf:
            for page in self._found(shelf, subject):
                shelf.remove(list(page))
                for trace in page.values():
                    removed(trace)

    def _found(self, shelf: Shelf, subject: Subject) -> Iterator[dict[bytes, Trace]]:
        after = b""
        while rows := shelf.page(after, _PAGE):
            after = rows[-1][0]
            found: dict[bytes, Trace] = {}
            for key, value in rows:
                entry = self._opened(key, value)
                if entry is not None and (entry.source in subject.records or subject.is_in(said(entry.events))):
                    data = {"route": entry.route, "record": entry.source, "answer": said(entry.events)}
                    found[key] = Trace(self.name, key.hex(), "kept answer", int(entry.made * 1000), data)
            if found:
                yield found

    def _opened(self, key: bytes, value: bytes) -> Entry | None:
        try:
            return unpack(self._seal.open(value, about(key)))
        except (SealLost, ValueError, msgspec.MsgspecError):
            return None
