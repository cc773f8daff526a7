"""All knowledge bases of one home, and what people do with them.

Works on the files of the bases, whether or not a server runs: what a method changes, the next question finds, in every
process. Blocks; used by one thread at a time. Does not know who may do what.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

from mainstay.core.errors import Conflict, InvalidRequest
from mainstay.grounding.config import BASE_NAME, KnowledgeConfig, SourceConfig
from mainstay.grounding.folders import too_large
from mainstay.grounding.garbage import Collected
from mainstay.grounding.ingest import add_file, ingest
from mainstay.grounding.matter import Matter
from mainstay.grounding.port import Change, Meta, Version, Written
from mainstay.grounding.reports import Problem, Progress, Report, Stop
from mainstay.grounding.service.readers import Readers
from mainstay.grounding.service.shelves import PASSAGE, sizes_of_row
from mainstay.grounding.service.sources import chosen, sources_of
from mainstay.grounding.service.states import build, live
from mainstay.grounding.shelf import Fetched
from mainstay.grounding.store import check_name

__all__ = ["Knowledge"]

Told = Callable[[Progress], None]

#: The source of documents that came by API.
_AT_HAND = "api"
_NOTHING = "is of no kind that holds text to be found; send the text itself"


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
        sources: Sequence[str] = (),
        told: Told | None = None,
        stop: Stop | None = None,
    ) -> list[Report]:
        """Read files, folders and addresses into a base, which is made if there is none; what its row of the
        configuration names where ``places`` is empty, or only those of its ``sources``. ``said`` are settings of the
        sources that are made of places.

        Raises:
            InvalidRequest: a place cannot be listed, or there is none.
            Unavailable: what embeds cannot be reached; what was done stays.
        """
        found = self.planned(base, places, said, sources)
        return [
            self.take_in(base, one, version=version, again=again, why=why, told=told, stop=stop)
            for one in found
            if stop is None or not stop.is_set()
        ]

    def planned(
        self, base: str, places: Sequence[str], said: Mapping[str, Any] | None = None, sources: Sequence[str] = ()
    ) -> list[SourceConfig]:
        """Return what :meth:`add` would read, without reading it. Raises as that does."""
        check_name(base)
        return sources_of(places, said or {}) if places else chosen(base, self._row(base), sources)

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
        """Put one file that is at hand, of the kind that ``meta`` says or it is: a document, or the rows of a table.
        What ``meta`` says of it counts before what it says itself.

        Raises:
            Conflict: it was retracted.
            InvalidRequest: nothing of it can be read.
            Unavailable, NotFound: as :func:`mainstay.grounding.ingest.ingest`.
        """
        store, tools = self._filling(base, version)
        if len(data) > tools.limits.size:
            raise InvalidRequest(f"'{document[:100]}' {too_large(tools.limits.size)}.", param="data")
        terms = ("title", "uri", "dated", "groups", "licence", "consent", "fields")
        beside = Matter(**{name: getattr(meta, name) for name in terms}, ttl=meta.ttl or None)
        file = Fetched(data, meta.kind, meta.dated)
        source = SourceConfig.model_construct(name=_AT_HAND)
        report = add_file(store, document, file, beside, source, tools, Change(self._who, why), version=version)
        if not report.added + report.changed:
            if report.refused:
                raise Conflict(f"'{document[:100]}' was retracted; undo that first.")
            said = report.problems[0] if report.problems else Problem(document, _NOTHING)
            raise InvalidRequest(f"'{said.document[:100]}' {said.message}.", param="data")
        counts = {"added": report.added, "changed": report.changed, "closed": report.closed}
        self._tell("knowledge.add", base, {**counts, "version": version})
        return report

    # Correcting

    def edit(self, base: str, name: str, text: str, *, why: str, version: str = "") -> Written:
        """Give a document or a passage another text.

        Raises:
            NotFound: there is none of this name alive.
            InvalidRequest: the text is empty.
        """
        if not text.strip():
            raise InvalidRequest("A text that is empty says nothing; to take something out, retract it.", param="text")
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
        stop: Stop | None = None,
    ) -> Version:
        """Build a version beside the live one, as the row of the configuration says now, or with another embedder (as
        ``knowledge.NAME.embedder`` is written). One that was cut off is gone on with.

        Raises:
            Conflict: there is one of this name.
            InvalidRequest: it cannot have this name.
            Unavailable: the embedder is not installed, or cannot be reached.
        """
        row = self._row(base)
        if not BASE_NAME.fullmatch(version):
            raise InvalidRequest(
                "A version is named with letters, digits, '-', '_' and '.', 64 at most: choose another name.",
                param="version",
            )
        if embedder is not None:
            row = KnowledgeConfig.model_validate({**row.model_dump(), "embedder": embedder})
        store, sizes = self._store(base), sizes_of_row(row)
        change = Change(self._who, why)
        made = build(store, version, self._kit.wanted(row), sizes, change, told or (lambda _: None), stop)
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
        """Write a base to a file; return its bytes.

        Raises:
            InvalidRequest: the file cannot be written.
        """
        store = self._store(base)
        try:
            size = store.export(file)
        except OSError as error:
            reason = (error.strerror or "no reason is known").lower()
            raise InvalidRequest(f"'{str(file)[:200]}' cannot be written: {reason}.", param="file") from None
        self._tell("knowledge.export", base, {"bytes": size})
        return size

    def import_(self, base: str, file: Path, *, why: str = "") -> Written:
        """Read an archive into a base without documents, which is made if there is none. Raises as the store does, and
        as :meth:`check_archive`."""
        # A file that is none makes no base.
        self.check_archive(base, file)
        store = self._store(base, make=True)
        return self._wrote("knowledge.import", base, store.import_(file, Change(self._who, why)))

    def check_archive(self, base: str, file: Path) -> None:
        """See, without reading it whole, that a file may be an archive, and that a base can have its name.

        Raises:
            InvalidRequest: not so.
        """
        check_name(base)
        if not file.is_file():
            raise InvalidRequest(f"There is no file '{str(file)[:200]}'.", param="file")
        if not is_zipfile(file):
            raise InvalidRequest("This is not an archive of a knowledge base, or it was changed since.", param="file")
