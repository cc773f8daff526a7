"""From a source of documents to passages in a store: listed, read, normalised, cut, flagged, embedded, put.

Only what changed is done again, by the SHA-256 of its bytes; what a complete listing has no more is closed, never
retracted. What was done is what the store holds: a run that was cut off goes on by being started again. A file that
cannot be read is a row in the report, never a failed run. Blocks; knows files by ``folders`` and ``addresses`` only.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from mainstay.core.clock import monotonic, wall_ms
from mainstay.core.errors import InvalidRequest, NotFound, Unreadable
from mainstay.grounding.addresses import file_name, list_addresses
from mainstay.grounding.chunks import Sizes, chunk, embedded, sizes_of
from mainstay.grounding.config import IngestLimitsConfig, SourceConfig, source_name
from mainstay.grounding.documents import SOURCE, Document, NotRead, is_same, read_document
from mainstay.grounding.duplicates import NEAR_DUPLICATE, Duplicates
from mainstay.grounding.folders import SIDECAR, Found, list_files, read_file
from mainstay.grounding.matter import Matter, read_sidecar
from mainstay.grounding.normal import decode, normalise
from mainstay.grounding.port import Change, Embedder, Meta, Slice
from mainstay.grounding.shelf import Draft, Extractor, Fetched, Fetcher, Listing, Shelf, Suspect

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Problem", "Progress", "Report", "Stop", "Tools", "add_text", "ingest"]

#: Documents, and characters of them, that are put in one transaction: a cut-off run loses no more.
_DOCUMENTS: Final = 64
_CHARACTERS: Final = 1_000_000
_INJECTION: Final = "injection"
_EMPTIED: Final = "is empty and was not: is it mounted? Nothing was taken out; delete its documents if it is meant so"


class Progress(msgspec.Struct, frozen=True):
    """How far a run has come: documents done, of how many, and the one it is at."""

    done: int
    total: int
    current: str


class Problem(msgspec.Struct, frozen=True):
    """A document that was left out, and why: the end of a sentence that begins with it (``is a damaged PDF; ...``)."""

    document: str
    message: str


class Report(msgspec.Struct):
    """What a run came to, in documents but for ``passages`` (written) and ``flags`` (passages, by flag).

    ``refused`` were retracted before; ``skipped`` are files of no kind that is read; ``closed`` vanished from the
    source. ``complete``: the source was listed whole.
    """

    source: str = ""
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    closed: int = 0
    refused: int = 0
    skipped: int = 0
    passages: int = 0
    flags: dict[str, int] = {}
    problems: list[Problem] = []
    complete: bool = False
    stopped: bool = False
    seconds: float = 0.0


class Stop(Protocol):
    """Says whether to stop: a ``threading.Event``."""

    def is_set(self) -> bool:
        """Return whether to stop now."""
        ...


@dataclass(frozen=True)
class Tools:
    """What ingestion works with. Without ``extractor`` only text is read; without ``fetcher`` no addresses are.

    ``embedder`` must be the one that the version is built with. ``suspect`` flags passages as ``injection``.
    """

    extractor: Extractor | None = None
    fetcher: Fetcher | None = None
    suspect: Suspect | None = None
    embedder: Embedder | None = None
    limits: IngestLimitsConfig = field(default_factory=IngestLimitsConfig)
    #: For versions that do not say how documents are cut.
    sizes: Sizes = field(default_factory=Sizes)


class _Item(msgspec.Struct, frozen=True):
    """A document to be: what it is called, its file's name, and how it, and what stands beside it, is come by."""

    document: str
    name: str
    fetch: Callable[[], Fetched]
    beside: Callable[[], Matter]


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


def add_text(
    shelf: Shelf,
    document: str,
    text: str,
    meta: Meta,
    tools: Tools,
    change: Change,
    *,
    slices: Sequence[Slice] | None = None,
    version: str = "",
) -> Report:
    """Put one document that is at hand as text, as ``meta.kind`` says (``text/plain``, ``text/markdown``), or already
    cut into ``slices``.

    Raises:
        InvalidRequest: the embedder is not the version's.
        Unavailable: the embedder cannot be reached.
        NotFound: there is no such version.
        Unreadable: it holds no text, or too much; the message is the end of a sentence that begins with it.
    """
    run = _Run(shelf, tools, change, version)
    text = normalise(text) if slices is None else text
    if len(text) > tools.limits.characters:
        raise Unreadable(f"has more than the {tools.limits.characters} characters that are read; split it")
    cuts = chunk(text, meta.kind or "text/plain", run.sizes) if slices is None else slices
    if not cuts:
        raise Unreadable("holds no text; send some")
    run.add(document, Document(text, cuts, meta))
    run.flush()
    return run.report


class _Run:
    """One run: what it works with, what waits to be put, and what it came to."""

    def __init__(self, shelf: Shelf, tools: Tools, change: Change, version: str) -> None:
        with shelf.pin(version) as pinned:
            built = pinned.version
        if built.embedder and (tools.embedder is None or tools.embedder.name != built.embedder):
            raise InvalidRequest(
                f"Version '{built.name}' was built with another embedder; build a new version to change it."
            )
        self._embedder = tools.embedder if built.embedder else None
        self.sizes = sizes_of(built.chunker) or tools.sizes
        self.report = Report()
        self._shelf, self._tools, self._change, self._version = shelf, tools, change, version
        self._known = shelf.documents(version)
        self._duplicates = Duplicates(shelf, self._known, version)
        self._drafts: list[Draft] = []
        self._waiting = 0

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
        began, now, report = monotonic(), wall_ms(), self.report
        report.source = name = source_name(source)
        place, items, found = self._list(source)
        before = self._shelf.listing(name)
        if before is not None and before.place != place:
            raise InvalidRequest(
                f"Another source is called '{name}' in this knowledge base; give this one a 'name' of its own."
            )
        report.problems += [Problem(path, reason) for path, reason in found.problems]
        report.complete = found.complete
        gone = {known for known, meta in self._known.items() if meta.fields.get(SOURCE) == name}
        for number, item in enumerate(items):
            if stop is not None and stop.is_set():
                report.stopped = True
                break
            progress(Progress(number, len(items), item.document))
            # What the web has no more is gone although its address is still listed.
            if self._read(item, source, again=again, now=now):
                gone.discard(item.document)
        self.flush()
        if not report.stopped:
            progress(Progress(len(items), len(items), ""))
            if prune and report.complete:
                self._close(gone, emptied=not items)
            if report.complete:
                self._shelf.note(Listing(name, place, now, len(items), len(report.problems)))
        report.seconds = monotonic() - began
        return report

    def _list(self, source: SourceConfig) -> tuple[str, list[_Item], Found]:
        """Return where a source is, its documents, and what was found of its files."""
        if source.path is None:
            return "web", [self._address(url) for url in list_addresses(source.urls)], Found()
        path, name = os.path.realpath(source.path), source_name(source)
        if os.path.isfile(path):
            folder, file = os.path.split(path)
            beside = os.path.isfile(path + SIDECAR)
            return path, [self._file(folder, file, file, sidecar=beside and source.sidecar)], Found()
        found = list_files(path, source.include, source.exclude, hidden=source.hidden, ignore=source.ignore)
        items = [
            self._file(path, file.path, f"{name}/{file.path}", sidecar=file.sidecar and source.sidecar)
            for file in found.files
        ]
        found.problems = [(f"{name}/{path}", reason) for path, reason in found.problems]
        return path, items, found

    def _file(self, root: str, path: str, document: str, *, sidecar: bool) -> _Item:
        limit = self._tools.limits.size

        def fetch() -> Fetched:
            data, changed = read_file(root, path, limit)
            return Fetched(data, dated=changed)

        def beside() -> Matter:
            return read_sidecar(normalise(decode(read_file(root, path + SIDECAR, limit)[0]))) if sidecar else Matter()

        return _Item(document, path, fetch, beside)

    def _address(self, url: str) -> _Item:
        fetcher, limit = self._tools.fetcher, self._tools.limits.size
        if fetcher is None:
            raise InvalidRequest("Addresses cannot be fetched here; add the files themselves.", param="urls")
        return _Item(url, file_name(url), lambda: fetcher.fetch(url, limit), lambda: Matter(uri=url))

    def _read(self, item: _Item, source: SourceConfig, *, again: bool, now: int) -> bool:
        """Read a document, unless it is as it was; return whether its source still has it."""
        known = self._known.get(item.document)
        try:
            file, beside = item.fetch(), item.beside()
            if known is not None and not again and is_same(file.data, beside, source, known, now):
                self.report.unchanged += 1
                return True
            document = read_document(
                file.data,
                item.name,
                file.media_type,
                beside,
                source,
                sizes=self.sizes,
                limits=self._tools.limits,
                extractor=self._tools.extractor,
                dated=file.dated,
                now=now,
            )
        except NotFound:
            self.report.problems.append(Problem(item.document, "is gone, as its server says; take it off the list"))
            return False
        except Unreadable as error:
            self.report.problems.append(Problem(item.document, error.message))
            return True
        except NotRead:
            # A file that held text and now holds none has none to be found.
            self.report.skipped += 1
            return False
        self.add(item.document, document)
        return True

    def add(self, document: str, read: Document) -> None:
        """Have a document put, with the next batch."""
        self._duplicates.begin(document)
        slices = []
        for one in read.slices:
            flags = self._flags(document, read.text[one.start : one.end])
            slices.append(msgspec.structs.replace(one, flags=flags) if flags else one)
        self._drafts.append(Draft(document, read.text, slices, read.meta))
        self._waiting += len(read.text)
        if len(self._drafts) >= _DOCUMENTS or self._waiting >= _CHARACTERS:
            self.flush()

    def _flags(self, document: str, text: str) -> tuple[str, ...]:
        found = []
        if self._tools.suspect is not None and self._tools.suspect(text):
            found.append(_INJECTION)
        if self._duplicates.check(document, text):
            found.append(NEAR_DUPLICATE)
        return tuple(found)

    def flush(self) -> None:
        """Put what waits, in one transaction."""
        drafts, self._drafts, self._waiting = self._drafts, [], 0
        if not drafts:
            return
        if self._embedder is not None:
            drafts = self._embed(drafts, self._embedder)
        for draft, written in zip(drafts, self._shelf.put_all(drafts, self._change, self._version), strict=True):
            if written is None:
                self.report.refused += 1
                continue
            if draft.document in self._known:
                self.report.changed += 1
            else:
                self.report.added += 1
            self.report.passages += len(draft.slices)
            for flag in (flag for one in draft.slices for flag in one.flags):
                self.report.flags[flag] = self.report.flags.get(flag, 0) + 1

    def _embed(self, drafts: Sequence[Draft], embedder: Embedder) -> list[Draft]:
        """Return drafts with the vectors of what the base does not have yet; rows of zeros stand for the rest."""
        import numpy as np

        texts: list[str] = []
        places: list[tuple[int, int]] = []
        rows: list[NDArray[np.float32]] = []
        for number, draft in enumerate(drafts):
            rows.append(np.zeros((len(draft.slices), embedder.dimensions), np.float32))
            for place in self._shelf.wanting(draft.document, draft.text, draft.slices, draft.meta, self._version):
                one: Slice = draft.slices[place]
                texts.append(embedded(draft.meta.title, one.heading, draft.text[one.start : one.end]))
                places.append((number, place))
        if texts:
            for (number, place), vector in zip(places, embedder.embed(texts, "passage"), strict=True):
                rows[number][place] = vector
        return [msgspec.structs.replace(draft, vectors=row) for draft, row in zip(drafts, rows, strict=True)]

    def _close(self, gone: set[str], *, emptied: bool) -> None:
        """Close what the source has no more. One that is empty of a sudden is more likely not there."""
        if emptied and gone:
            self.report.complete = False
            self.report.problems.append(Problem(self.report.source, _EMPTIED))
            return
        for document in sorted(gone):
            self._shelf.close(document, self._change, self._version)
            self.report.closed += 1
