"""For who changes what is kept: edits of knowledge, the command line, the admin API. Blocks; safe between threads."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar

from mainstay.caching.config import CacheConfig
from mainstay.caching.disk import MARK, Disk, DiskLost
from mainstay.caching.exact import named
from mainstay.caching.generation import Generation
from mainstay.caching.port import Counts
from mainstay.core.errors import Unavailable

__all__ = ["Shelf", "open_shelf"]

_T = TypeVar("_T")


class Shelf(Protocol):
    """All that is kept, wherever it lies."""

    def drop(self, base: str, passages: Iterable[str]) -> int:
        """Delete all answers that rest on any of these passages of a knowledge base; return how many there were.

        When it has returned no process gives any of them again, and none that was made before is kept any more: call
        it after an edit is committed, before it returns.

        Raises:
            Unavailable: what is kept cannot be reached.
        """
        ...

    def evict(self, *, source: str = "", route: str = "") -> int:
        """Delete the answer that was made for the record ``source``, or all of a route; return how many there were.

        Raises:
            Unavailable: what is kept cannot be reached.
        """
        ...

    def clear(self) -> int:
        """Delete everything; return how many answers there were. Raises Unavailable."""
        ...

    def counts(self) -> Counts:
        """Return what is kept. Raises Unavailable."""
        ...

    def remove(self, keys: Sequence[bytes]) -> int:
        """Delete the answers of ``keys``; return how many there were. Raises Unavailable."""
        ...

    def page(self, after: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """Return at most so many keys and values, sealed as they lie, by key, after one. Raises Unavailable."""
        ...

    def close(self) -> None:
        """Close."""
        ...


def open_shelf(config: CacheConfig, home: Path) -> Shelf:
    """Return all that is kept by an installation; nothing is opened before the first use.

    Raises:
        StartError: a package is missing.
    """
    if config.url is not None:
        return _Remote(config.url.get_secret_value())
    return _Local(home, config.disk)


class _Local:
    """The file of this machine; where no gateway has kept anything yet, none is made."""

    def __init__(self, home: Path, limit: int) -> None:
        self._home = home
        self._limit = limit
        self._lock = Lock()
        self._generation: Generation | None = None
        self._disk: Disk | None = None

    def drop(self, base: str, passages: Iterable[str]) -> int:
        """Delete what rests on passages; see :class:`Shelf`."""
        names = [named(base, one) for one in passages]
        return self._do(lambda disk: disk.drop(names), 0) if names else 0

    def evict(self, *, source: str = "", route: str = "") -> int:
        """Delete one answer or a route's; see :class:`Shelf`."""
        return self._do(lambda disk: disk.evict(source=source, route=route), 0)

    def clear(self) -> int:
        """Delete everything; see :class:`Shelf`."""
        return self._do(lambda disk: disk.clear(), 0)

    def counts(self) -> Counts:
        """Return what is kept; see :class:`Shelf`."""
        return self._do(lambda disk: disk.counts(), Counts(0, 0))

    def remove(self, keys: Sequence[bytes]) -> int:
        """Delete answers; see :class:`Shelf`."""
        return self._do(lambda disk: disk.remove(keys), 0)

    def page(self, after: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """Return keys and values; see :class:`Shelf`."""
        return self._do(lambda disk: disk.page(after, most), [])

    def close(self) -> None:
        """Close."""
        with self._lock:
            if self._disk is not None and self._generation is not None:
                self._disk.close()
                self._generation.close()
            self._disk = self._generation = None

    def _do(self, work: Callable[[Disk], _T], nothing: _T) -> _T:
        with self._lock:
            disk = self._open()
            try:
                return work(disk) if disk is not None else nothing
            except DiskLost as error:
                raise _unavailable() from error

    def _open(self) -> Disk | None:
        if self._disk is None and (self._home / MARK).exists():
            self._generation = Generation(self._home / MARK)
            self._disk = Disk(self._home, self._generation, self._limit)
        return self._disk


class _Remote:
    """A server that gateways share."""

    def __init__(self, url: str) -> None:
        from mainstay.caching.redis import RedisLost, RedisShelf

        self._lost = RedisLost
        self._shelf = RedisShelf(url)

    def drop(self, base: str, passages: Iterable[str]) -> int:
        """Delete what rests on passages; see :class:`Shelf`."""
        names = [named(base, one) for one in passages]
        return self._do(lambda: self._shelf.drop(names)) if names else 0

    def evict(self, *, source: str = "", route: str = "") -> int:
        """Delete one answer or a route's; see :class:`Shelf`."""
        return self._do(lambda: self._shelf.evict(source=source, route=route))

    def clear(self) -> int:
        """Delete everything; see :class:`Shelf`."""
        return self._do(self._shelf.clear)

    def counts(self) -> Counts:
        """Return what is kept; see :class:`Shelf`."""
        return self._do(self._shelf.counts)

    def remove(self, keys: Sequence[bytes]) -> int:
        """Delete answers; see :class:`Shelf`."""
        return self._do(lambda: self._shelf.remove(keys))

    def page(self, after: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """Return keys and values; see :class:`Shelf`."""
        return self._do(lambda: self._shelf.page(after, most))

    def close(self) -> None:
        """Close."""
        self._shelf.close()

    def _do(self, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except self._lost as error:
            raise _unavailable() from error


def _unavailable() -> Unavailable:
    return Unavailable("What the cache keeps cannot be reached; try again shortly.", retry_after=1.0)
