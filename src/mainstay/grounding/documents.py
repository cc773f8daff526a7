"""From the bytes of a file to what a store keeps of it: its text, what is known of it, and where its parts begin.

Text is read here; whatever else there is, by an ``Extractor``. Does not know where files come from.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from mainstay.core.errors import Unreadable
from mainstay.grounding.blocks import blocks_of
from mainstay.grounding.chunks import Sizes, chunk
from mainstay.grounding.config import IngestLimitsConfig, SourceConfig, source_name
from mainstay.grounding.files import EXTRACTED, kind_of
from mainstay.grounding.matter import Matter, date_of, read_matter
from mainstay.grounding.normal import cut, decode, normalise, normalise_marked
from mainstay.grounding.port import Meta, Slice
from mainstay.grounding.shelf import Extracted, Extractor, Mark
from mainstay.grounding.tabular import TABULAR, Row, Table, read_row, read_table

__all__ = [
    "SOURCE",
    "Document",
    "NotRead",
    "is_same",
    "is_same_row",
    "join_matter",
    "meta_of",
    "read_document",
    "read_row_document",
    "table_of",
]

#: The field that says which source a document is from.
SOURCE: Final = "source"
_REFUSED: Final = {
    "application/x-ole-storage": "is a file of Office before 2007; save it as docx, xlsx or pptx",
    "application/rtf": "is Rich Text; save it as docx or PDF",
}
_SLIDE: Final = re.compile(r"Slide \d+")
_STRUCTURED: Final = ("text/x-", "text/csv", "text/tab", "application/json")


class NotRead(Exception):
    """A file is of no kind that holds text to be found: a picture, an archive, an empty file."""


class Document(msgspec.Struct, frozen=True):
    """A document to be put: its normalised text, the passages of it, and what is known of it."""

    text: str
    slices: Sequence[Slice]
    meta: Meta


def read_document(
    data: bytes,
    name: str,
    media_type: str,
    beside: Matter,
    source: SourceConfig,
    *,
    sizes: Sizes,
    limits: IngestLimitsConfig,
    extractor: Extractor | None,
    dated: int,
    now: int,
) -> Document:
    """Return what a file says.

    Args:
        data: the file.
        name: its name or path.
        media_type: what its server says it is, "" where nobody does.
        beside: what stands in the file of fields beside it; counts before what it says itself.
        source: where it is from, and the terms of that.
        sizes: how long passages are.
        limits: what it may take.
        extractor: reads what is no text.
        dated: when it was changed, as its folder or server says; wall-clock ms.
        now: wall-clock ms.

    Raises:
        NotRead: it is nothing that is read.
        Unreadable: it cannot be read; the message is the end of a sentence that begins with the file.
        Unavailable: nothing can be read now.
    """
    kind = kind_of(data, name, media_type)
    if kind in EXTRACTED:
        if extractor is None:
            raise Unreadable("can only be read with the extra 'modalities': pip install 'mainstay[modalities]'")
        text, marks, properties = _placed(extractor.extract(data, name, kind))
        own = Matter(title=properties.get("title", ""), dated=date_of(properties.get("date", "")))
    else:
        text, own = _read(data, kind)
        marks = ()
    if len(text) > limits.characters:
        raise Unreadable(f"has more than the {limits.characters} characters that are read; split it")
    slices = chunk(text, kind, sizes, marks)
    if not slices:
        if kind in EXTRACTED:
            raise Unreadable("holds no text; if it is scanned, add it with its text recognised")
        raise NotRead
    matter = join_matter(own, beside)
    title = matter.title or _headline(text, kind, marks) or _stem(name)
    sha256 = hashlib.sha256(data).hexdigest()
    meta = meta_of(matter, source, kind=kind, sha256=sha256, now=now)
    return Document(text, slices, msgspec.structs.replace(meta, title=title[:500], dated=matter.dated or dated))


def meta_of(matter: Matter, source: SourceConfig, *, kind: str = "", sha256: str = "", now: int = 0) -> Meta:
    """Return what is known of a document of ``source`` that says ``matter`` of itself."""
    name = source_name(source)
    return Meta(
        title=matter.title,
        uri=matter.uri,
        groups=tuple(sorted(matter.groups or source.groups)),
        dated=matter.dated,
        read_at=now,
        ttl=int(source.ttl) if matter.ttl is None else matter.ttl,
        licence=matter.licence or source.licence,
        consent=matter.consent or source.consent,
        kind=kind,
        sha256=sha256,
        fields={**source.fields, **matter.fields, SOURCE: name},
    )


def is_same(data: bytes, beside: Matter, source: SourceConfig, known: Meta, now: int) -> bool:
    """Return whether a file need not be read again: its bytes, what stands beside it and what its source says are those
    that ``known`` is of, and it does not expire soon."""
    if hashlib.sha256(data).hexdigest() != known.sha256:
        return False
    try:
        own = _front(data) if known.kind not in EXTRACTED else Matter()
    except Unreadable:
        return False
    return _says_so_still(join_matter(own, beside), source, known, now)


def _says_so_still(matter: Matter, source: SourceConfig, known: Meta, now: int) -> bool:
    now_meta = meta_of(matter, source)
    terms = ("groups", "ttl", "licence", "consent")
    if any(getattr(now_meta, term) != getattr(known, term) for term in terms) or dict(known.fields) != now_meta.fields:
        return False
    if any(said and said != was for said, was in ((matter.title, known.title), (matter.dated, known.dated))):
        return False
    if now_meta.uri and now_meta.uri != known.uri:
        return False
    # What expires is put anew in good time: it was looked at, and is as it was.
    return not known.ttl or now - known.read_at < known.ttl * 250


def table_of(data: bytes, name: str, media_type: str, source: SourceConfig, limits: IngestLimitsConfig) -> Table | None:
    """Return the rows of a file that are documents of their own, None where the file is one document, or none.

    Raises:
        Unreadable: as :func:`mainstay.grounding.tabular.read_table`, or it is no text.
    """
    kind = kind_of(data, name, media_type) if source.rows.split else ""
    if kind not in TABULAR:
        return None
    return read_table(normalise(decode(data)), kind, source.rows, limits.rows)


def read_row_document(
    row: Row,
    name: str,
    beside: Matter,
    source: SourceConfig,
    *,
    sizes: Sizes,
    limits: IngestLimitsConfig,
    dated: int,
    now: int,
) -> Document:
    """Return what a row says, as :func:`read_document` does of a file. ``name`` is the file's.

    Raises:
        NotRead: it says nothing.
        Unreadable: it cannot be read.
    """
    text, kind, own = read_row(row, source.rows)
    if len(text) > limits.characters:
        raise Unreadable(f"has more than the {limits.characters} characters that are read; split it")
    slices = chunk(text, kind, sizes)
    if not slices:
        raise NotRead
    matter = join_matter(own, beside)
    meta = meta_of(matter, source, kind=kind, sha256=row.sha256, now=now)
    title = (matter.title or _stem(name))[:500]
    return Document(text, slices, msgspec.structs.replace(meta, title=title, dated=matter.dated or dated))


def is_same_row(row: Row, beside: Matter, source: SourceConfig, known: Meta, now: int) -> bool:
    """Return whether a row need not be read again; see :func:`is_same`."""
    if row.sha256 != known.sha256:
        return False
    try:
        return _says_so_still(join_matter(read_row(row, source.rows)[2], beside), source, known, now)
    except Unreadable:
        return False


def join_matter(own: Matter, beside: Matter) -> Matter:
    """Return what a document says of itself, where what stands beside it says nothing else."""
    said = {
        name: getattr(beside, name) or getattr(own, name)
        for name in ("title", "uri", "dated", "groups", "licence", "consent")
    }
    ttl = own.ttl if beside.ttl is None else beside.ttl
    return Matter(**said, ttl=ttl, fields={**own.fields, **beside.fields})


def _front(data: bytes) -> Matter:
    if not data.removeprefix(b"\xef\xbb\xbf").startswith(b"---"):
        return Matter()
    return read_matter(normalise(decode(data)))[0]


def _read(data: bytes, kind: str) -> tuple[str, Matter]:
    """Return the text of a file of text without its front matter, and that."""
    if kind in _REFUSED:
        raise Unreadable(_REFUSED[kind])
    if not kind.startswith("text/") and kind not in ("application/json", "application/jsonl"):
        raise NotRead
    text = normalise(decode(data))
    if kind == "application/jsonl" and "\\u" in text:
        text = normalise("\n".join(map(_spelled, text.split("\n"))))
    matter, start = read_matter(text) if not kind.startswith(_STRUCTURED) else (Matter(), 0)
    return text[start:], matter


def _spelled(line: str) -> str:
    """Return a line of JSON with its characters written out, so that its words can be found."""
    try:
        return json.dumps(json.loads(line), ensure_ascii=False) if line.strip() else line
    except (ValueError, RecursionError):
        return line


def _placed(found: Extracted) -> tuple[str, tuple[Mark, ...], Mapping[str, str]]:
    """Return what an extractor found, normalised, without what is beside the point, its marks in their places."""
    offsets = sorted({place for mark in found.marks for place in (mark.offset, mark.end)})
    text, placed = normalise_marked(found.text, offsets)
    where: dict[int, int | None] = dict(zip(offsets, placed, strict=True))
    aside = [(where[mark.offset] or 0, where[mark.end] or 0) for mark in found.marks if mark.kind == "aside"]
    kept = sum(end - start for start, end in aside) * 2 < len(text)
    if aside and kept:
        text, left = cut(text, aside, placed)
        where = dict(zip(offsets, left, strict=True))
    marks = []
    for mark in found.marks:
        offset = where[mark.offset]
        if mark.kind != "aside" and offset is not None:
            marks.append(msgspec.structs.replace(mark, offset=offset, end=where[mark.end] or 0))
    return text, tuple(marks), found.properties


def _headline(text: str, kind: str, marks: Sequence[Mark]) -> str:
    """Return the first heading of a document; names of functions, sheets and columns are none."""
    if kind not in ("text/markdown", "text/x-rst") and (not marks or kind.endswith("spreadsheetml.sheet")):
        return ""
    first = next((block.section.heading[0] for block in blocks_of(text, kind, marks) if block.section.heading), "")
    return "" if _SLIDE.fullmatch(first) else first


def _stem(name: str) -> str:
    base = name.rstrip("/").rsplit("/", 1)[-1]
    return base.rsplit(".", 1)[0] or base or name
