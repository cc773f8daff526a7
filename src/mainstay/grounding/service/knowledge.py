"""All knowledge bases of one home, and what people do with them.

Works on the files of the bases, whether or not a server runs: what a method changes, the next question finds, in every
process. Blocks; used by one thread at a time. Does not know who may do what.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainstay.core.clock import wall_ms
from mainstay.core.errors import Conflict, InvalidRequest, Unreadable
from mainstay.grounding.chunks import Sizes, sizes_of
from mainstay.grounding.config import KnowledgeConfig, SourceConfig
from mainstay.grounding.documents import Document, NotRead, read_document
from mainstay.grounding.folders import too_large
from mainstay.grounding.garbage import Collected
from mainstay.grounding.ingest import Progress, Report, Stop, Tools, add_text, ingest
from mainstay.grounding.matter import Matter
from mainstay.grounding.port import Change, Meta, Version, Written
from mainstay.grounding.service.readers import Readers
from mainstay.grounding.service.shelves import PASSAGE, sizes_of_row
from mainstay.grounding.service.sources import sources_of
from mainstay.grounding.service.states import build, live

__all__ = ["Knowledge"]

Told = Callable[[Progress], None]

#: The source of documents that came by API.
_AT_HAND = "api"


class Knowledge(Readers):
    """All knowledge bases of one home; see :class:`mainstay.grounding.service.shelves.Shelves`."""

    # Filling

    def add(
        self,
        base: str,
        places: Sequence[str] = (),
        said: Mapping[str, Any] | None = None,
        *,
        version: str = "",
        again: bool = False,
        why: str = "",
        told: Told | None = None,
    ) -> list[Report]:
        """Read files, folders and addresses into a base, which is made if there is none; what its row of the
        configuration names where ``places`` is empty. ``said`` are settings of the sources that are made of them.

        Raises:
            InvalidRequest: a place cannot be listed, or there is none.
            Unavailable: what embeds cannot be reached; what was done stays.
        """
        sources = sources_of(places, said or {}) if places else list(self._row(base).sources)
        if not sources:
            raise InvalidRequest(f"Name a file, a folder or an address, or give 'knowledge.{base}' sources.")
        return [self.take_in(base, one, version=version, again=again, why=why, told=told) for one in sources]

    def take_in(
        self,
        base: str,
        source: SourceConfig,
        *,
        version: str = "",
        again: bool = False,
        why: str = "",
        told: Told | None = None,
        stop: Stop | None = None,
    ) -> Report:
        """Bring a base to what one source holds now; see :func:`mainstay.grounding.ingest.ingest`."""
        store, tools = self._filling(base, version, source.networks)
        change = Change(self._who, why)
        report = ingest(store, source, tools, change, version=version, again=again, progress=told, stop=stop)
        counts = {"added": report.added, "changed": report.changed, "closed": report.closed}
        if any(counts.values()):
            self._tell("knowledge.add", base, {**counts, "version": version})
        return report

    def put(self, base: str, document: str, data: bytes, meta: Meta, *, version: str = "", why: str = "") -> Report:
        """Put one document that is at hand as a file, of the kind that ``meta`` says or it is. What ``meta`` says of it
        counts before what it says itself.

        Raises:
            Conflict: it was retracted.
            InvalidRequest: it cannot be read.
            Unavailable, NotFound: as :func:`mainstay.grounding.ingest.add_text`.
        """
        store, tools = self._filling(base, version)
        change = Change(self._who, why)
        sizes = sizes_of(self._version(store, version).chunker) or tools.sizes
        try:
            read = _read(document, data, meta, tools, sizes)
            report = add_text(store, document, read.text, read.meta, tools, change, slices=read.slices, version=version)
        except Unreadable as error:
            raise InvalidRequest(f"'{document[:100]}' {error.message}.", param="text") from None
        if report.refused:
            raise Conflict(f"'{document[:100]}' was retracted; undo that first.")
        self._tell("knowledge.add", base, {"added": report.added, "changed": report.changed, "version": version})
        return report

    # Correcting

    def edit(self, base: str, name: str, text: str, *, why: str, version: str = "") -> Written:
        """Give a document or a passage another text.

        Raises:
            NotFound: there is none of this name alive.
        """
        store, change = self._store(base), self._change(why)
        embed = self._embed(base, store, version)
        if PASSAGE.fullmatch(name):
            written = store.correct(text, change, passage=name, version=version, embed=embed)
        else:
            now = store.text(name, version=version)
            written = store.correct(
                text, change, document=name, end=len(now.text), expect=now.revision, version=version, embed=embed
            )
        return self._wrote("knowledge.edit", base, written, version)

    def correct(self, base: str, name: str, fact: str, text: str, *, why: str, version: str = "") -> Written:
        """Put ``text`` wherever ``fact`` stands in a document or a passage; everywhere for "".

        Raises:
            NotFound: it stands nowhere there.
        """
        store, change = self._store(base), self._change(why)
        where = {"passage" if PASSAGE.fullmatch(name) else "document": name} if name else {}
        embed = self._embed(base, store, version)
        written = store.correct_fact(fact, text, change, version=version, embed=embed, **where)
        return self._wrote("knowledge.edit", base, written, version)

    def retract(self, base: str, name: str = "", *, fact: str = "", erase: bool = False, why: str) -> Written:
        """Take out a document or passage, or every passage that says ``fact``, of every version and for good.

        Raises:
            NotFound: there is nothing of that name, or nothing says so.
        """
        store, change = self._store(base), self._change(why)
        if PASSAGE.fullmatch(name):
            written = store.retract(change, passage=name, erase=erase)
        else:
            written = store.retract(change, document=name, fact=fact, erase=erase)
        return self._wrote("knowledge.erase" if erase else "knowledge.retract", base, written)

    def unretract(self, base: str, name: str, *, why: str) -> Written:
        """Let in again what was retracted: a document, a passage, or a fact by the number of its retraction.

        Raises:
            NotFound: nothing of that name was retracted.
        """
        store, change = self._store(base), self._change(why)
        if PASSAGE.fullmatch(name):
            written = store.unretract(change, passage=name)
        elif name.isdecimal() and any(one.id == int(name) for one in store.tombstones()):
            written = store.unretract(change, tombstone=int(name))
        else:
            written = store.unretract(change, document=name)
        return self._wrote("knowledge.unretract", base, written)

    # Versions

    def build(
        self,
        base: str,
        version: str,
        *,
        embedder: Any = None,
        told: Told | None = None,
        why: str = "",
    ) -> Version:
        """Build a version beside the live one, as the row of the configuration says now, or with another embedder (as
        ``knowledge.NAME.embedder`` is written). One that was cut off is gone on with.

        Raises:
            Conflict: there is one of this name.
            Unavailable: the embedder is not installed, or cannot be reached.
        """
        row = self._row(base)
        if embedder is not None:
            row = KnowledgeConfig.model_validate({**row.model_dump(), "embedder": embedder})
        store, sizes = self._store(base), sizes_of_row(row)
        change = Change(self._who, why)
        made = build(store, version, self._kit.wanted(row), sizes, change, told or (lambda _: None))
        self._tell("knowledge.build", base, {"version": version, "embedder": made.embedder})
        return made

    def swap(self, base: str, version: str, *, why: str = "", expect: str = "") -> Version:
        """Make a version the live one, in one step. Raises as the store does."""
        store = self._store(base)
        written = store.swap(version, Change(self._who, why), expect=expect)
        self._wrote("knowledge.swap", base, written, version)
        return live(store)

    def rollback(self, base: str, *, why: str = "", expect: str = "") -> Version:
        """Make the version live again that was before the last swap, in one step. Raises as the store does."""
        store = self._store(base)
        written = store.rollback(Change(self._who, why), expect=expect)
        now = live(store)
        self._wrote("knowledge.rollback", base, written, now.name)
        return now

    def gc(self, base: str, *, window: float | None = None) -> Collected:
        """Remove what neither a label, a lease, nor a question within ``window`` seconds ago needs."""
        change = Change(self._who)
        store = self._store(base)
        found = store.collect(change) if window is None else store.collect(change, window)
        self._tell("knowledge.gc", base, {})
        return found

    def export(self, base: str, file: Path) -> int:
        """Write a base to a file; return its bytes."""
        size = self._store(base).export(file)
        self._tell("knowledge.export", base, {"bytes": size})
        return size

    def import_(self, base: str, file: Path, *, why: str = "") -> Written:
        """Read an archive into a base without documents, which is made if there is none. Raises as the store does."""
        store = self._store(base, make=True)
        return self._wrote("knowledge.import", base, store.import_(file, Change(self._who, why)))


def _read(document: str, data: bytes, meta: Meta, tools: Tools, sizes: Sizes) -> Document:
    if len(data) > tools.limits.size:
        raise Unreadable(too_large(tools.limits.size))
    terms = ("title", "uri", "dated", "groups", "licence", "consent", "fields")
    beside = Matter(**{name: getattr(meta, name) for name in terms}, ttl=meta.ttl or None)
    try:
        return read_document(
            data,
            document,
            meta.kind,
            beside,
            SourceConfig.model_construct(name=_AT_HAND),
            sizes=sizes,
            limits=tools.limits,
            extractor=tools.extractor,
            dated=meta.dated,
            now=wall_ms(),
        )
    except NotRead:
        raise Unreadable("is of no kind that holds text to be found; send the text itself") from None
