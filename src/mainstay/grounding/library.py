"""Knowledge as a worker asks it: searched, opened and checked in threads of its own, never on the event loop.

Every question opens its base anew as far as that is needed, so what another process changed is seen by the
next one. What computes is loaded before the first question where its base is named (:meth:`LocalLibrary.warm`).
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import structlog
from msgspec.structs import replace

from mainstay.core.errors import StartError, Unavailable
from mainstay.core.sources import Found
from mainstay.grounding.opening import Bases, Keeps
from mainstay.grounding.port import Access, Embedder, Question, Support, Verifier, Version
from mainstay.grounding.remote import Remote

if TYPE_CHECKING:
    from mainstay.grounding.pages import Page
    from mainstay.grounding.search import Manner
    from mainstay.grounding.store import RowStore

__all__ = ["Embed", "LocalLibrary"]

_log = structlog.get_logger("mainstay.grounding")
_T = TypeVar("_T")
#: Returns what embeds for a base's version, None to search by words only; raises ``Unavailable`` where it is not there.
Embed = Callable[[str, Version], Embedder | None]

#: Searches at a time, what computes for them, and pairs of a claim and evidence that may wait.
_SEARCHES, _COMPUTES, _WAITING = 2, 2, 256


class LocalLibrary:
    """The knowledge bases of one home; see :class:`~mainstay.grounding.port.Library`.

    Args:
        folder: where their files lie.
        embed: what embeds for a version of a base.
        verifier: opens what checks claims.
        manner: how a base is searched; as usual when not given.
        keeps: where a base is kept; in a file when not given.
    """

    def __init__(
        self,
        folder: Path,
        embed: Embed,
        verifier: Callable[[], Verifier],
        manner: "Callable[[str], Manner] | None" = None,
        keeps: Keeps = lambda base: None,
    ) -> None:
        self._bases = Bases(folder, keeps)
        self.embed = embed
        self._manner = manner
        self._open_verifier = verifier
        self._verifier: Verifier | None = None
        self._stores: dict[str, RowStore] = {}
        self._lock = threading.Lock()
        self._waiting = 0
        #: By base: what loads it.
        self._warm: dict[str, Future[None]] = {}
        #: Made with the first question.
        self._searching: ThreadPoolExecutor | None = None
        self._computing: ThreadPoolExecutor | None = None
        self._checking: ThreadPoolExecutor | None = None

    def warm(self, base: str) -> "Future[None]":
        """Begin to load what searches a base, if nobody has. Called on the event loop's thread."""
        found = self._warm.get(base)
        if found is None:
            found = self._warm[base] = self._pool().submit(self._prepare, base)
        return found

    async def ready(self, base: str) -> None:
        """See :class:`~mainstay.grounding.port.Library`."""
        begun = self.warm(base)
        if not begun.done():
            await asyncio.wait((asyncio.wrap_future(begun),))
        if begun.cancelled() or begun.exception() is not None:
            # It may be there for the next question.
            self._warm.pop(base, None)

    async def find(self, base: str, question: Question) -> Found:
        """See :class:`~mainstay.grounding.port.Library`."""
        return await self._in_thread(self._find, base, question)

    async def alive(self, base: str, passages: Sequence[str], access: Access) -> bool:
        """See :class:`~mainstay.grounding.port.Library`."""
        return await self._in_thread(lambda: self._store(base).alive(passages, access))

    async def open_passage(
        self, base: str, passage: str, access: Access | None, around: int, revision: int = 0
    ) -> "Page":
        """Return a passage as a citation points at it, at a revision (its newest by default), with ``around``
        characters on each side; ``access`` None is for who may see everything.

        Raises:
            NotFound: there is none of this name that may be seen.
            Unavailable: the base cannot be read now.
        """

        def open_it() -> "Page":
            from mainstay.grounding.pages import open_page

            return open_page(self._store(base), passage, access, around=around, revision=revision)

        return await self._in_thread(open_it)

    async def check(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Support]:
        """See :class:`~mainstay.grounding.port.Library`."""
        if self._waiting + len(pairs) > _WAITING:
            raise Unavailable("More claims wait to be checked than can be now; try again shortly.")
        if self._checking is None:
            self._checking = ThreadPoolExecutor(1, "mainstay-claims")
        self._waiting += len(pairs)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._checking, self._check, pairs)
        finally:
            self._waiting -= len(pairs)

    async def aclose(self) -> None:
        """Let what runs end, and close the files."""
        pools = [pool for pool in (self._searching, self._computing, self._checking) if pool is not None]
        self._searching = self._computing = self._checking = None
        for pool in pools:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)
        for store in self._stores.values():
            store.shut()
        self._stores = {}

    def _pool(self) -> ThreadPoolExecutor:
        if self._searching is None:
            self._searching = ThreadPoolExecutor(_SEARCHES, "mainstay-knowledge")
            self._computing = ThreadPoolExecutor(_COMPUTES, "mainstay-embedding")
        return self._searching

    async def _in_thread(self, act: Callable[..., _T], *args: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._pool(), act, *args)

    def _prepare(self, base: str) -> None:
        # The search and its packages are loaded, and the vectors of the base.
        from mainstay.grounding.search import search

        with self._store(base).pin() as snapshot:
            embedder = self.embed(base, snapshot.version)
            # What another server computes is asked when there is something to ask.
            embedder = None if isinstance(embedder, Remote) else embedder
            search(snapshot, Question("what is there", seconds=60.0), embedder, pool=self._computing)

    def _find(self, base: str, question: Question) -> Found:
        from mainstay.grounding.search import Manner, search

        store, manner = self._store(base), self._manner(base) if self._manner is not None else Manner()
        with store.pin(question.version) as snapshot:
            missing = False
            try:
                embedder = self.embed(base, snapshot.version)
            except (Unavailable, StartError):
                embedder, missing = None, True
            found = search(
                snapshot, question, embedder, reranker=manner.reranker, tuning=manner.tuning, pool=self._computing
            )
        return replace(found, late=(*found.late, "dense")) if missing else found

    def _store(self, base: str) -> "RowStore":
        with self._lock:
            store = self._stores.get(base)
            if store is not None and self._bases.has_moved(store):
                del self._stores[base]
                store.shut()
                store = None
        if store is not None:
            return store
        try:
            # Without the lock: a server that does not answer holds up no other base.
            store = self._bases.open(base)
        except StartError as error:
            _log.error("knowledge_unreachable", base=base, reason=error.message)
            raise Unavailable(f"The knowledge base '{base}' cannot be reached; try again shortly.") from error
        with self._lock:
            kept = self._stores.setdefault(base, store)
        if kept is not store:
            store.shut()
        return kept

    def _check(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Support]:
        try:
            if self._verifier is None:
                self._verifier = self._open_verifier()
            return self._verifier.check(pairs)
        except StartError as error:
            _log.warning("claims_unchecked", error=error.message)
            raise Unavailable(error.message) from error
