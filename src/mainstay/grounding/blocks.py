"""What a text is made of, in order: headings, paragraphs, code, tables, rows; each under its headings and on its page.

Every character that is not blank lies in one block. Offsets are code points. Pure; how long a passage may be is not
known here (``chunks``).
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple

from mainstay.grounding.shelf import Mark

__all__ = ["Block", "Section", "blocks_of", "rows"]

#: The most that is kept of a heading, and how deep headings go.
_TITLE: Final = 200
_DEPTH: Final = 8
_HEADING: Final = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_FENCE: Final = re.compile(r" {0,12}(`{3,}|~{3,})")
_UNDER: Final = re.compile(r" {0,3}(=+|-+)[ \t]*")
_UNDER_RST: Final = re.compile(r"""([=\-~^"'*+#<>`:.])\1{2,}[ \t]*""")
_RULE: Final = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_LINK: Final = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
_EMPHASIS: Final = re.compile(r"[*`]+|(?<!\w)_+(?=\S)|(?<=\S)_+(?!\w)")
#: What begins a definition in the languages that people write, and its name.
_DEFINITION: Final = re.compile(
    r"\s*(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|pub(?:\([a-z]+\))?|unsafe"
    r"|extern|inline|virtual|override|sealed|open|data|partial|create(?: or replace)?)\s+)*"
    r"(?:def|class|function\*?|func|fn|struct|enum|trait|impl|interface|type|module|namespace|object|protocol|message"
    r"|service|table|view|procedure|sub|package|const|let|var|val)\s+(?:\([^)]*\)\s*)?([A-Za-z_$][\w$]*(?:(?:\.|::)[\w$]+)*)",
    re.IGNORECASE,
)
#: What continues the unit before it although it stands at the left edge.
_CLOSES: Final = re.compile(r"[})\]]|end\b|else\b|elif\b|except\b|finally\b|catch\b|fi\b|done\b|esac\b")

Shape = Literal["heading", "prose", "code", "table", "records"]


class Section(NamedTuple):
    """Headings that stand over blocks, outermost first, and the page (from 1, 0 where there are none)."""

    heading: tuple[str, ...] = ()
    page: int = 0


class Block(NamedTuple):
    """A stretch of text. Tables and code are kept whole where they fit; ``header`` is where a table's first row ends,
    -1 where it has none to repeat. Rows of ``records`` may have line ends within quotes. A block with another section
    (by identity) begins anew."""

    start: int
    end: int
    shape: Shape
    section: Section
    header: int = -1


def blocks_of(text: str, kind: str, marks: Sequence[Mark] = ()) -> Iterator[Block]:
    """Return the blocks of a normalised text.

    Args:
        text: the text.
        kind: its media type; PDF, Office and HTML are what was taken out of them, with ``marks``.
        marks: places in the text that its reader knows of, in order.
    """
    if kind in ("text/markdown", "text/x-rst"):
        return _markdown(text, rst=kind == "text/x-rst")
    if kind == "text/csv":
        return _lines(text, "records", headed=True)
    if kind in ("text/tab-separated-values", "application/jsonl"):
        return _lines(text, "table", headed=kind != "application/jsonl")
    if kind == "application/json" or (kind.startswith("text/x-") and kind != "text/x-rst"):
        return _code(text)
    if kind in ("text/plain", "application/pdf", ""):
        return _marked(text, marks, flowing=True)
    return _marked(text, marks, flowing=False, headed=kind.endswith("spreadsheetml.sheet"))


class _Headings:
    """The headings that stand over the place that was come to."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, title: str, page: int = 0) -> Section:
        """Return the section that begins with a heading."""
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        if title:
            self._open.append((level, title[:_TITLE]))
        return self.at(page)

    def at(self, page: int) -> Section:
        """Return a section on ``page`` under the headings so far."""
        return Section(tuple(title for _, title in self._open[:_DEPTH]), page)


def _title(raw: str) -> str:
    """Return a heading's words without their marks."""
    raw = raw[: 4 * _TITLE].strip()
    bare = raw.rstrip("#")
    # Marks that close a heading stand apart from its words: "# C#" is about C#.
    raw = bare if not bare or bare[-1].isspace() else raw
    return " ".join(_EMPHASIS.sub("", _LINK.sub(r"\1", raw)).split())


def _split(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    for line in text.split("\n"):
        yield at, line
        at += len(line) + 1


def _markdown(text: str, *, rst: bool) -> Iterator[Block]:
    headings, section = _Headings(), Section()
    lines = list(_split(text))
    levels: list[str] = []
    start = end = -1  # of the paragraph that is open
    number = 0
    while number < len(lines):
        at, line = lines[number]
        number += 1
        if not line or line.isspace():
            if start >= 0:
                yield Block(start, end, "prose", section)
                start = -1
            continue
        first = line[:13].lstrip(" ")[:1]
        level = 0
        if not rst and first == "#" and (found := _HEADING.match(line)):
            level, title = len(found[1]), _title(line[found.end() :])
        elif start >= 0 and (level := _underlined(line, text[start:end], levels, rst=rst)):
            # The paragraph that was open is a heading.
            title, at, start = _title(text[start:end]), start, -1
        if level:
            if start >= 0:
                yield Block(start, end, "prose", section)
                start = -1
            section = headings.enter(level, title)
            yield Block(at, lines[number - 1][0] + len(line.rstrip()), "heading", section)
            continue
        whole = _fenced(lines, number) if not rst and first in "`~" else 0
        shape: Shape = "code"
        if not whole and not rst and "|" in line and number < len(lines) and _ruled(lines[number][1]):
            whole, shape = _table(lines, number), "table"
        if whole:
            if start >= 0:
                yield Block(start, end, "prose", section)
                start = -1
            stop = lines[whole - 1][0] + len(lines[whole - 1][1].rstrip())
            header = lines[number][0] + len(lines[number][1]) if shape == "table" else -1
            yield Block(at, stop, shape, section, min(header, stop))
            number = whole
            continue
        if start < 0:
            start = at + len(line) - len(line.lstrip())
        end = at + len(line.rstrip())
    if start >= 0:
        yield Block(start, end, "prose", section)


def _underlined(line: str, before: str, levels: list[str], *, rst: bool) -> int:
    """Return the level of a heading that ``line`` underlines, 0 where it is none."""
    if "\n" in before or len(before) > _TITLE:
        return 0
    if not rst:
        found = _UNDER.fullmatch(line)
        return 0 if found is None or before.lstrip()[:1] in "-*>|" else 1 if found[1][0] == "=" else 2
    found = _UNDER_RST.fullmatch(line)
    if found is None or len(line.rstrip()) < len(before.rstrip()):
        return 0
    if found[1] not in levels:
        levels.append(found[1])
    return levels.index(found[1]) + 1


def _ruled(line: str) -> bool:
    return "-" in line and ("|" in line or ":" in line) and len(line) <= 2_000 and _RULE.fullmatch(line) is not None


def _fenced(lines: Sequence[tuple[int, str]], number: int) -> int:
    """Return the number after the last line of the code that the line before ``number`` opens, 0 where it opens none.

    Code that is never closed goes on to the end."""
    found = _FENCE.match(lines[number - 1][1])
    if found is None:
        return 0
    fence = found[1]
    for place in range(number, len(lines)):
        line = lines[place][1].strip()
        if line.startswith(fence) and not line.strip(fence[0]):
            return place + 1
    end = len(lines)
    while end > number and not lines[end - 1][1].strip():
        end -= 1
    return end


def _table(lines: Sequence[tuple[int, str]], number: int) -> int:
    while number < len(lines) and "|" in lines[number][1]:
        number += 1
    return number


def rows(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Return where the records of CSV lie: they end with a line, but for line ends within quotes."""
    at = begun = start
    quoted = False
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        quoted ^= text.count('"', at, stop) % 2 == 1
        at = stop + 1
        if not quoted or at >= end:
            yield begun, stop
            begun = at


def _lines(text: str, shape: Shape, *, headed: bool) -> Iterator[Block]:
    """Return a file of rows as one table."""
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if start < end:
        header = next(rows(text, start, end))[1] if shape == "records" else text.find("\n", start, end)
        yield Block(start, end, shape, Section(), header if headed and _is_header(text[start:header]) else -1)


def _is_header(line: str) -> bool:
    """Return whether a first row names columns: no cell is empty or a number."""
    cells = [cell.strip(" \"'") for cell in re.split(r"[,;\t|]", line.strip("|"))]
    return bool(line) and len(line) <= 2_000 and all(cell and not cell[0].isdigit() for cell in cells)


def _code(text: str) -> Iterator[Block]:
    """Return the units of a program: what begins at the left edge after an empty line."""
    section = Section()
    start = end = -1
    gap = True
    for at, line in _split(text):
        if not line or line.isspace():
            gap = True
            continue
        named = _DEFINITION.match(line) if not line[0].isspace() else None
        if start < 0 or (gap and not line[0].isspace() and not _CLOSES.match(line)):
            if start >= 0:
                yield Block(start, end, "code", section)
            start = at
            section = Section((named[1][:_TITLE],) if named else ())
        elif named and not section.heading:
            # Comments and decorators stand before what they are about.
            section = Section((named[1][:_TITLE],))
        gap = False
        end = at + len(line.rstrip())
    if start >= 0:
        yield Block(start, end, "code", section)


def _marked(text: str, marks: Sequence[Mark], *, flowing: bool, headed: bool = False) -> Iterator[Block]:
    """Return the blocks of what was taken out of a file. ``flowing``: lines are no paragraphs, only broken lines."""
    headings, section, page = _Headings(), Section(), 0
    places = iter(sorted(marks, key=lambda mark: mark.offset))
    mark = next(places, None)
    start = end = whole = -1
    shape: Shape = "prose"
    header = -1
    for at, line in _split(text):
        heading = False
        while mark is not None and mark.offset < at + max(1, len(line)):
            if start >= 0 and mark.kind != "aside":
                yield Block(start, end, shape, section, header)
                start = -1
            if mark.kind == "page":
                page = mark.number
                # What a page is headed by goes on over the next one; a slide or a sheet begins with its own heading.
                section = headings.at(page)
            elif mark.kind == "heading":
                section, heading = headings.enter(mark.number, mark.title, page), mark.offset >= at
            elif mark.kind == "whole":
                whole = max(whole, mark.end)
            mark = next(places, None)
        if not line or line.isspace():
            if start >= 0 and at >= whole:
                yield Block(start, end, shape, section, header)
                start = -1
            continue
        now: Shape = "heading" if heading else "code" if at < whole else "table" if "\t" in line else "prose"
        if start >= 0 and (now != shape or (now == "prose" and not flowing) or now == "heading"):
            yield Block(start, end, shape, section, header)
            start = -1
        if start < 0:
            start = at if now == "code" else at + len(line) - len(line.lstrip())
            shape, header = now, -1
            if now == "table" and headed and _is_header(line):
                header = at + len(line)
        end = at + len(line.rstrip())
    if start >= 0:
        yield Block(start, end, shape, section, header)
