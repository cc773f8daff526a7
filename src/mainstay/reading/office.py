"""The text of Word, PowerPoint and Excel files, of the kinds that are zip files of XML (since 2007).

Reads what a reader would see: paragraphs and tables, slides with their notes, cells with dates as dates. Not layout,
not pictures, not formulas. Standard: ECMA-376.
"""

import posixpath
from typing import Final

from mainstay.core.errors import Unreadable
from mainstay.reading.archive import Archive, local, parse
from mainstay.reading.port import Limits, Text
from mainstay.reading.sheets import read_workbook

__all__ = ["read_office"]

_LINKS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships id"


def read_office(data: bytes, limits: Limits) -> Text:
    """Return what a document, a presentation or a workbook says.

    Raises:
        Unreadable: it is none of these, damaged, or over a limit.
    """
    archive = Archive(data, limits.unpacked)
    if "word/document.xml" in archive.names:
        return Text(_document(archive, limits), "docx")
    if "ppt/presentation.xml" in archive.names:
        slides = _slides(archive, limits)
        return Text("\n\n".join(slides), "pptx", len(slides))
    if "xl/workbook.xml" in archive.names:
        sheets = read_workbook(archive, _linked(archive, "xl/workbook.xml", "sheet"), limits)
        return Text("\n\n".join(sheets), "xlsx", len(sheets))
    raise Unreadable("is a zip file and no Office document; send what is in it")


def _linked(archive: Archive, place: str, element: str) -> list[tuple[str, str]]:
    """Return (name, path) of the parts that the elements of a file refer to, in its order."""
    folder, file = posixpath.split(place)
    targets: dict[str, str] = {}

    def relation(name: str, attributes: dict[str, str]) -> None:
        if local(name) == "Relationship" and attributes.get("TargetMode") != "External":
            target = attributes.get("Target", "")
            path = target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
            targets[attributes.get("Id", "")] = path

    links = f"{folder}/_rels/{file}.rels"
    if links in archive.names:
        parse(archive.read(links), relation, _nothing)
    found: list[tuple[str, str]] = []

    def reference(name: str, attributes: dict[str, str]) -> None:
        path = targets.get(attributes.get(_LINKS, ""), "")
        if local(name) == element and path in archive.names:
            found.append((attributes.get("name", ""), path))

    parse(archive.read(place), reference, _nothing)
    return found


def _document(archive: Archive, limits: Limits) -> str:
    texts = [_paragraphs(archive.read("word/document.xml"), limits)]
    notes = [name for name in ("word/footnotes.xml", "word/endnotes.xml") if name in archive.names]
    texts += [_paragraphs(archive.read(name), limits) for name in notes]
    return "\n\n".join(text for text in texts if text)


def _slides(archive: Archive, limits: Limits) -> list[str]:
    found = _linked(archive, "ppt/presentation.xml", "sldId")
    if len(found) > limits.pages:
        raise Unreadable(f"has {len(found)} slides and this route reads at most {limits.pages}; send fewer")
    texts = []
    for number, (_, path) in enumerate(found, 1):
        text = f"Slide {number}\n{_paragraphs(archive.read(path), limits)}".strip()
        folder, file = posixpath.split(path)
        notes = _related(archive, f"{folder}/_rels/{file}.rels", folder, "/notesSlide")
        if notes and (said := _paragraphs(archive.read(notes), limits)):
            text += f"\nNotes: {said}"
        texts.append(text)
    return texts


def _related(archive: Archive, links: str, folder: str, kind: str) -> str:
    """Return the path of the part that a file is related to in this way, or ""."""
    found = ""

    def relation(name: str, attributes: dict[str, str]) -> None:
        nonlocal found
        if local(name) == "Relationship" and attributes.get("Type", "").endswith(kind):
            path = posixpath.normpath(posixpath.join(folder, attributes.get("Target", "")))
            found = path if path in archive.names else found

    if links in archive.names:
        parse(archive.read(links), relation, _nothing)
    return found


def _nothing(_: str) -> None:
    """Heed no end of an element."""


def _paragraphs(data: bytes, limits: Limits) -> str:
    """Return the paragraphs and tables of a Word or PowerPoint part: a line each, cells apart by tabs."""
    reader = _Text(limits.characters)
    parse(data, reader.start, reader.end, reader.text)
    return "\n".join(reader.lines).strip()


class _Text:
    """Gathers text. Both kinds of document call it ``t``, a paragraph ``p``, and tables ``tr`` of ``tc``."""

    _MARKS: Final = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}

    def __init__(self, limit: int) -> None:
        self.lines: list[str] = []
        self._line: list[str] = []
        self._rows: list[list[list[str]]] = []
        self._reads = False
        self._skips = 0
        self._left = limit

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = local(name)
        # What a change took out, instructions of fields, and the second copy that older readers get.
        if self._skips or name in ("del", "instrText", "Fallback"):
            self._skips += 1
        elif name == "t":
            self._reads = True
        elif name in self._MARKS and not self._reads:
            self._line.append(self._MARKS[name])
        elif name == "tr":
            self._rows.append([])
        elif name == "tc" and self._rows:
            self._rows[-1].append([])

    def end(self, name: str) -> None:
        if self._skips:
            self._skips -= 1
            return
        name = local(name)
        if name == "t":
            self._reads = False
        elif name == "p":
            self._put("".join(self._line))
            self._line = []
        elif name == "tr" and self._rows:
            self._put("\t".join(" ".join(cell) for cell in self._rows.pop()))

    def text(self, data: str) -> None:
        if self._reads and not self._skips:
            self._left -= len(data)
            if self._left < 0:
                raise Unreadable("has more text than this route reads; send a shorter document")
            self._line.append(data)

    def _put(self, line: str) -> None:
        if self._rows and self._rows[-1]:
            if line:
                self._rows[-1][-1].append(line.replace("\n", " "))
        elif line or (self.lines and self.lines[-1]):
            self.lines.append(line)
