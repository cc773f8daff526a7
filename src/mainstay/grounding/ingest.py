"""From a source of documents to passages in a store: listed, read, normalised, cut, flagged, embedded, put.

Only what changed is done again, by the SHA-256 of its bytes; what a complete listing has no more is closed, never
retracted. What was done is what the store holds: a run that was cut off goes on by being started again. A file that
cannot be read is a row in the report, never a failed run. Blocks; knows files by ``folders`` and ``addresses`` only.
"""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Final

from mainstay.core.clock import monotonic, wall_ms
from mainstay.core.errors import InvalidRequest, NotFound, Unreadable
from mainstay.grounding.config import SourceConfig, source_name
from mainstay.grounding.documents import (
    SOURCE,
    NotRead,
    is_same,
    is_same_row,
    read_document,
    read_row_document,
    table_of,
)
from mainstay.grounding.items import Item, items_of
from mainstay.grounding.matter import Matter
from mainstay.grounding.port import Change
from mainstay.grounding.putting import Putting
from mainstay.grounding.reports import Problem, Progress, Report, Stop, Tools
from mainstay.grounding.shelf import Fetched, Listing, Shelf
from mainstay.grounding.tabular import TABULAR, Table

__all__ = ["add_file", "ingest"]

#: Between the name of a file and that of a row of it.
_ROW: Final = "#"
_EMPTIED: Final = "is empty and was not: is it mounted? Nothing was taken out; delete its documents if it is meant so"


def ingest(
    shelf: Shelf,
    source: SourceConfig,
    tools: Tools,
    change: Change,
    *,
    version: str = "",
    again: bool = False,
    prune: bool = True,
    progress: Callable[[Progress], None] | None = None,
    stop: Stop | None = None,
) -> Report:
    """Bring a version of a knowledge base to what a source holds now.

    Args:
        shelf: the knowledge base.
        source: a folder, a file, or addresses.
        tools: what it works with.
        change: who does it, and why.
        version: the version, the live one by default.
        again: read documents whose bytes are unchanged, too.
        prune: close what the source has no more, if it could be listed whole.
        progress: told of each document, before it is read.
        stop: ends the run between two documents; what was done stays.

    Raises:
        InvalidRequest: the source cannot be listed at all, is another than the one of its name, or the embedder is not
            the version's.
        Unavailable: the embedder cannot be reached, or nothing can be read now; what was done stays.
        NotFound: there is no such version.
    """
    run = _Run(shelf, tools, change, version)
    return run.work(source, again=again, prune=prune, progress=progress or (lambda _: None), stop=stop)


def _tell(progress: Callable[[Progress], None], number: int, total: int, current: str) -> None:
    progress(Progress(number, total, current))


def add_file(
    shelf: Shelf,
    document: str,
    file: Fetched,
    beside: Matter,
    source: SourceConfig,
    tools: Tools,
    change: Change,
    *,
    version: str = "",
) -> Report:
    """Put one file that is at hand, also where it is as it was: as one document, or its rows. Rows of it that it has no
    more are closed. Raises as :func:`ingest` does; that it cannot be read is in the report."""
    run = _Run(shelf, tools, change, version)
    run.begin(source_name(source), document)
    run.take(Item(document, document, lambda: file, lambda: beside), source, again=True, now=wall_ms())
    run.flush()
    run.close(emptied=False)
    return run.report


class _Run(Putting):
    """One run over a source, or over one file of it."""

    def __init__(self, shelf: Shelf, tools: Tools, change: Change, version: str) -> None:
        super().__init__(shelf, tools, change, version)
        self._barred = shelf.barred()
        #: Documents of the source that it has not shown to have still.
        self.gone: set[str] = set()
        self.told: Callable[[str], None] = lambda _: None

    def begin(self, source: str, document: str = "") -> None:
        """Note what the source had: all of it, or the rows of one file."""
        self.report.source = source
        own = {known for known, meta in self.known.items() if meta.fields.get(SOURCE) == source}
        self.gone = {known for known in own if known.startswith(document + _ROW)} if document else own

    def work(
        self,
        source: SourceConfig,
        *,
        again: bool,
        prune: bool,
        progress: Callable[[Progress], None],
        stop: Stop | None,
    ) -> Report:
        """Do the whole of it; see :func:`ingest`."""
        began, now, report, name = monotonic(), wall_ms(), self.report, source_name(source)
        place, items, found = items_of(source, self.tools.limits.size, self.tools.fetcher)
        before = self.shelf.listing(name)
        if before is not None and before.place != place:
            raise InvalidRequest(
                f"Another source is called '{name}' in this knowledge base; give this one a 'name' of its own."
            )
        report.problems += [Problem(path, reason) for path, reason in found.problems]
        report.complete = found.complete
        self.begin(name)
        for number, item in enumerate(items):
            if stop is not None and stop.is_set():
                report.stopped = True
                break
            self.told = partial(_tell, progress, number, len(items))
            self.told(item.document)
            self.take(item, source, again=again, now=now, stop=stop)
        self.flush()
        if not report.stopped:
            progress(Progress(len(items), len(items), ""))
            if prune and report.complete:
                self.close(emptied=not items)
            if report.complete:
                self.shelf.note(Listing(name, place, now, len(items), len(report.problems)))
        report.seconds = monotonic() - began
        return report

    def take(self, item: Item, source: SourceConfig, *, again: bool, now: int, stop: Stop | None = None) -> None:
        """Read a document, or the rows of a file, unless they are as they were; what is there still is not gone."""
        if item.document in self._barred.names:
            self.report.refused += 1
            return
        try:
            file, beside = item.fetch(), item.beside()
            if hashlib.sha256(file.data).hexdigest() in self._barred.hashes:
                self.report.refused += 1
                return
            known = self.known.get(item.document)
            same = known is not None and not again and is_same(file.data, beside, source, known, now)
            # What was one document may be rows by now.
            if not same or (known is not None and known.kind in TABULAR):
                table = table_of(file.data, item.name, file.media_type, source, self.tools.limits)
                if table is not None:
                    self._take_rows(table, item, beside, source, again=again, dated=file.dated, now=now, stop=stop)
                    return
            if same:
                self.report.unchanged += 1
                self.gone.discard(item.document)
                return
            document = read_document(
                file.data,
                item.name,
                file.media_type,
                beside,
                source,
                sizes=self.sizes,
                limits=self.tools.limits,
                extractor=self.tools.extractor,
                dated=file.dated,
                now=now,
            )
        except NotFound:
            # What the web has no more is gone although its address is still listed.
            self.report.problems.append(Problem(item.document, "is gone, as its server says; take it off the list"))
        except Unreadable as error:
            self.report.problems.append(Problem(item.document, error.message))
            self._keep(item.document)
        except NotRead:
            # A file that held text and now holds none has none to be found.
            self.report.skipped += 1
        else:
            self.gone.discard(item.document)
            self.add(item.document, document)

    def _take_rows(
        self,
        table: Table,
        item: Item,
        beside: Matter,
        source: SourceConfig,
        *,
        again: bool,
        dated: int,
        now: int,
        stop: Stop | None,
    ) -> None:
        for place, reason in table.problems:
            self.report.problems.append(Problem(f"{item.document} {place}", reason))
        if table.problems:
            # Which row cannot be read is not known, so none of them is gone.
            self._keep(item.document)
        limits = self.tools.limits
        for number, row in enumerate(table.rows):
            if stop is not None and stop.is_set():
                self.report.stopped = True
                return
            document = f"{item.document}{_ROW}{row.name}"
            if document in self._barred.names or row.sha256 in self._barred.hashes:
                self.report.refused += 1
                continue
            known = self.known.get(document)
            if known is not None and not again and is_same_row(row, beside, source, known, now):
                self.report.unchanged += 1
                self.gone.discard(document)
                continue
            try:
                read = read_row_document(
                    row, item.name, beside, source, sizes=self.sizes, limits=limits, dated=dated, now=now
                )
            except NotRead:
                self.report.skipped += 1
                continue
            except Unreadable as error:
                self.report.problems.append(Problem(document, error.message))
            else:
                if number and not self.is_waiting:
                    self.told(document)
                self.add(document, read, near=row.of_text)
            self.gone.discard(document)

    def _keep(self, document: str) -> None:
        """Let a document, and the rows of it, be as they were."""
        rows = tuple(known for known in self.gone if known.startswith(document + _ROW))
        self.gone.difference_update((document, *rows))

    def close(self, *, emptied: bool) -> None:
        """Close what the source has no more. One that is empty of a sudden is more likely not there."""
        if emptied and self.gone:
            self.report.complete = False
            self.report.problems.append(Problem(self.report.source, _EMPTIED))
            return
        for document in sorted(self.gone):
            self.shelf.close(document, self.change, self.version)
            self.report.closed += 1
