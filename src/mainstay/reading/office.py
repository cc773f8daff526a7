"""The text of Word, PowerPoint and Excel files, of the kinds that are zip files of XML (since 2007).

Reads what a reader would see: paragraphs and tables, slides with their notes, cells with dates as dates. Not layout,
not pictures, not formulas. Where headings, slides and sheets begin is told beside it (``Text.marks``). Standard:
ECMA-376.
"""

import contextlib
import posixpath
from collections.abc import Mapping, Sequence
from typing import Final

from mainstay.core.errors import Unreadable
from mainstay.reading.archive import Archive, local, parse
from mainstay.reading.port import Limits, Mark, Text
from mainstay.reading.sheets import read_workbook

__all__ = ["read_office"]

#: Word's own names of the styles of headings, the same in every language, and the level that they stand for.
_LEVELS: Final = {"title": 0, **{f"heading {level}": level for level in range(1, 10)}}
_LINKS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships id"


def read_office(data: bytes, limits: Limits) -> Text:
    """Return what a document, a presentation or a workbook says.

    Raises:
        Unreadable: it is none of these, damaged, or over a limit.
    """
    archive = Archive(data, limits.unpacked)
    if "word/document.xml" in archive.names:
        text, marks = _document(archive, limits)
        return Text(text, "docx", 0, marks, _properties(archive))
    if "ppt/presentation.xml" in archive.names:
        slides, titles = _slides(archive, limits)
        return Text("\n\n".join(slides), "pptx", len(slides), _places(slides, titles), _properties(archive))
    if "xl/workbook.xml" in archive.names:
        linked = _linked(archive, "xl/workbook.xml", "sheet")
        sheets = read_workbook(archive, linked, limits)
        marks = _places(sheets, [name for name, _ in linked])
        return Text("\n\n".join(sheets), "xlsx", len(sheets), marks, _properties(archive))
    raise Unreadable("is a zip file and no Office document; send what is in it")


def _places(texts: Sequence[str], titles: Sequence[str]) -> tuple[Mark, ...]:
    """Return where slides or sheets begin in their texts put together, and what each is called."""
    marks, at = [], 0
    for number, (text, title) in enumerate(zip(texts, titles, strict=True), 1):
        marks += [Mark(at, "page", number), Mark(at, "heading", 1, " ".join(title.split())[:300])]
        at += len(text) + 2
    return tuple(marks)


def _properties(archive: Archive) -> Mapping[str, str]:
    """Return what a document says that it is called, and when it was last changed."""
    found: dict[str, str] = {}
    here = ""

    def start(name: str, _: dict[str, str]) -> None:
        nonlocal here
        here = local(name)

    def text(data: str) -> None:
        if here in ("title", "modified", "created"):
            found[here] = (found.get(here, "") + data)[:300]

    def end(_: str) -> None:
        nonlocal here
        here = ""

    if "docProps/core.xml" in archive.names:
        try:
            parse(archive.read("docProps/core.xml"), start, end, text)
        except Unreadable:
            # What a document says of itself may be broken where its text is not.
            return {}
    said = {"title": found.get("title", "").strip(), "date": found.get("modified") or found.get("created", "")}
    return {name: value for name, value in said.items() if value}


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


def _document(archive: Archive, limits: Limits) -> tuple[str, tuple[Mark, ...]]:
    styles = _Styles()
    if "word/styles.xml" in archive.names:
        # Without it there are no headings, but the text is there.
        with contextlib.suppress(Unreadable):
            parse(archive.read("word/styles.xml"), styles.start, _nothing)
    body = _read(archive.read("word/document.xml"), limits, styles.levels)
    notes = [name for name in ("word/footnotes.xml", "word/endnotes.xml") if name in archive.names]
    texts = [body.said(), *(_paragraphs(archive.read(name), limits) for name in notes)]
    return "\n\n".join(text for text in texts if text), body.marks()


class _Styles:
    """The level of headings that each style of paragraphs stands for, by its id."""

    def __init__(self) -> None:
        self.levels: dict[str, int] = {}
        self._id = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = local(name)
        if name == "style":
            self._id = next((value for key, value in attributes.items() if local(key) == "styleId"), "")
        elif name == "name" and (level := _LEVELS.get(_value(attributes).lower())) is not None:
            self.levels[self._id] = level


def _value(attributes: dict[str, str]) -> str:
    return next((value for name, value in attributes.items() if local(name) == "val"), "")


def _slides(archive: Archive, limits: Limits) -> tuple[list[str], list[str]]:
    """Return the text of each slide, and its title."""
    found = _linked(archive, "ppt/presentation.xml", "sldId")
    if len(found) > limits.pages:
        raise Unreadable(f"has {len(found)} slides and this route reads at most {limits.pages}; send fewer")
    texts, titles = [], []
    for number, (_, path) in enumerate(found, 1):
        slide = _read(archive.read(path), limits, {})
        text = f"Slide {number}\n{slide.said()}".strip()
        titles.append(slide.title or f"Slide {number}")
        folder, file = posixpath.split(path)
        notes = _related(archive, f"{folder}/_rels/{file}.rels", folder, "/notesSlide")
        if notes and (said := _paragraphs(archive.read(notes), limits)):
            text += f"\nNotes: {said}"
        texts.append(text)
    return texts, titles


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
    return _read(data, limits, {}).said()


def _read(data: bytes, limits: Limits, levels: Mapping[str, int]) -> "_Text":
    reader = _Text(limits.characters, levels)
    parse(data, reader.start, reader.end, reader.text)
    return reader


class _Text:
    """Gathers text. Both kinds of document call it ``t``, a paragraph ``p``, and tables ``tr`` of ``tc``.

    ``title`` is what stands in the place of a slide's title.
    """

    _MARKS: Final = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}

    def __init__(self, limit: int, levels: Mapping[str, int]) -> None:
        self.lines: list[str] = []
        self.title = ""
        self._levels = levels
        self._level: int | None = None
        self._titled = False
        self._headings: list[tuple[int, int]] = []
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
        elif name == "p":
            self._level = None
        elif name == "pStyle":
            self._level = self._levels.get(_value(attributes))
        elif name == "outlineLvl":
            # The tenth level is the body of the text.
            said = _value(attributes)
            self._level = int(said) + 1 if said in set("012345678") else self._level
        elif name == "ph":
            self._titled = attributes.get("type") in ("title", "ctrTitle")
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
            line = "".join(self._line)
            if self._titled:
                self.title = f"{self.title} {line}".strip()
            if self._level is not None and line.strip() and not (self._rows and self._rows[-1]):
                self._headings.append((len(self.lines), self._level))
            self._put(line)
            self._line = []
        elif name == "sp":
            self._titled = False
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

    def said(self) -> str:
        """Return the text."""
        return "\n".join(self.lines).strip()

    def marks(self) -> tuple[Mark, ...]:
        """Return where headings stand in the text."""
        whole = "\n".join(self.lines)
        lead = len(whole) - len(whole.lstrip())
        marks, at, lines = [], 0, 0
        for line, level in self._headings:
            at += sum(len(text) + 1 for text in self.lines[lines:line])
            lines = line
            marks.append(Mark(max(0, at - lead), "heading", level, " ".join(self.lines[line].split())[:300]))
        return tuple(marks)
