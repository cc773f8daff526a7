"""Cuts a text into passages along its own structure: headings first, then blocks, sentences, lines, words.

Nothing is lost but blanks, nothing is in two passages, and ``text[start:end]`` is the passage. Tables and code are
kept whole where they fit. Pure; the same text is always cut alike.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from mainstay.grounding.blocks import Block, Section, blocks_of, rows
from mainstay.grounding.port import Slice
from mainstay.grounding.shelf import Mark

__all__ = ["Sizes", "chunk", "embedded", "sizes_of"]

#: Where a sentence may end: after its mark, and what closes with it, before a blank; in scripts without blanks at once.
_STOP: Final = re.compile(
    r"""(?:[.!?…]+["'»”’)\]]*(?=\s)|[。！？]+[」』”]*|\n(?=\s*\n)|\n(?=\s*(?:[-*+•]|\d+[.)])\s))"""
)
#: What ends with a point and no sentence.
_SHORT: Final = re.compile(
    r"(?:\b(?:e\.g|i\.e|cf|vs|etc|al|approx|ca|resp|incl|no|nr|art|abs|fig|figs|eq|sec|ch|vol|pp|ed|eds|dr|mr|mrs|ms"
    r"|prof|st|jr|sr|inc|ltd|co|corp|dept|est|jan|feb|mar|apr|jun|jul|aug|sep|sept|oct|nov|dec|z\.B|bzw|usw|d\.h|u\.a)"
    r"|\b[A-Za-z]|\b\d{1,3})\.\Z",
    re.IGNORECASE,
)
_BLANK: Final = re.compile(r"\s*")
#: The most that a table's first row takes as a heading of its further passages.
_ROW: Final = 300
_NAME: Final = "structure"


class Sizes(msgspec.Struct, frozen=True):
    """Lengths of passages in characters: the most that one has, and what shorter ones are joined to neighbours for."""

    characters: int = 1200
    least: int = 200

    @property
    def name(self) -> str:
        """What a version calls a chunker of these sizes."""
        return f"{_NAME}:{self.characters}:{self.least}"


def sizes_of(name: str) -> Sizes | None:
    """Return the sizes that a version's chunker has by its name, None where it is none of these."""
    kind, _, rest = name.partition(":")
    most, _, least = rest.partition(":")
    if kind != _NAME or not most.isdigit() or not least.isdigit() or not 0 < int(most) < 10**9:
        return None
    return Sizes(int(most), int(least))


class _Piece(NamedTuple):
    """What is not divided further. ``under``: the first row of its table; ``anew``: a passage had better begin here."""

    start: int
    end: int
    under: str = ""
    anew: bool = False


class _Cut(NamedTuple):
    """A passage to be. ``bare``: it is only headings."""

    start: int
    end: int
    section: Section
    bare: bool


def chunk(text: str, kind: str, sizes: Sizes, marks: Sequence[Mark] = ()) -> list[Slice]:
    """Return the passages of a normalised text, in order.

    Args:
        text: the text.
        kind: its media type.
        sizes: how long passages are.
        marks: what its reader knows of its structure.
    """
    cuts: list[_Cut] = []
    for blocks in _sections(blocks_of(text, kind, marks)):
        bare = all(block.shape == "heading" for block in blocks)
        for one in _packed(text, blocks, sizes):
            _join(cuts, one._replace(bare=bare), sizes)
    return [Slice(cut.start, _trimmed(text, cut), cut.section.page, cut.section.heading) for cut in cuts]


def _trimmed(text: str, cut: _Cut) -> int:
    """Return where a passage ends without blanks."""
    if not text[cut.end - 1].isspace():
        return cut.end
    return cut.start + len(text[cut.start : cut.end].rstrip())


def embedded(title: str, heading: Sequence[str], text: str) -> str:
    """Return what is embedded of a passage: its document's title and the headings over it, where it does not begin
    with them itself, and its words."""
    over = [name for name in dict.fromkeys((title, *heading)) if name and not text.lstrip("# ").startswith(name)]
    return "\n".join((" > ".join(over), text)) if over else text


def _sections(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    found: list[Block] = []
    for block in blocks:
        if found and block.section is not found[-1].section:
            yield found
            found = []
        found.append(block)
    if found:
        yield found


def _join(cuts: list[_Cut], one: _Cut, sizes: Sizes) -> None:
    """Add a passage, as one with that before it where both are on one page and one of them is too short to be alone."""
    last = cuts[-1] if cuts else None
    if last is not None and one.section.page == last.section.page and one.end - last.start <= sizes.characters:
        above, here = last.section.heading, one.section.heading
        if last.bare and here[: len(above)] == above:
            cuts[-1] = _Cut(last.start, one.end, one.section, one.bare)
            return
        if last.end - last.start < sizes.least or one.end - one.start < sizes.least:
            common = 0
            while common < min(len(above), len(here)) and above[common] == here[common]:
                common += 1
            section = last.section if above == here else Section(above[:common], last.section.page)
            cuts[-1] = _Cut(last.start, one.end, section, last.bare and one.bare)
            return
    cuts.append(one)


def _packed(text: str, blocks: Sequence[Block], sizes: Sizes) -> Iterator[_Cut]:
    """Return passages of the blocks of one section, of about equal lengths."""
    section = blocks[0].section
    span = blocks[-1].end - blocks[0].start
    if span <= sizes.characters:
        yield _Cut(blocks[0].start, blocks[-1].end, section, False)
        return
    goal = span / -(-span // sizes.characters)
    start = end = -1
    under = ""
    for piece in _pieces(text, blocks, sizes.characters):
        length = end - start
        if start >= 0 and (
            piece.end - start > sizes.characters or length >= goal or (piece.anew and length * 2 > sizes.characters)
        ):
            yield _Cut(start, end, _headed(section, under), False)
            start = -1
        if start < 0:
            start, under = piece.start, piece.under
        end = piece.end
    if start >= 0:
        yield _Cut(start, end, _headed(section, under), False)


def _headed(section: Section, under: str) -> Section:
    return Section((*section.heading, under), section.page) if under else section


def _pieces(text: str, blocks: Iterable[Block], most: int) -> Iterator[_Piece]:
    for block in blocks:
        if block.shape in ("table", "records"):
            yield from _rows(text, block, most)
        elif block.end - block.start <= most:
            yield _Piece(block.start, block.end)
        elif block.shape == "code":
            yield from _code(text, block, most)
        else:
            for start, end in _sentences(text, block.start, block.end):
                yield from _words(text, start, end, most)


def _rows(text: str, block: Block, most: int) -> Iterator[_Piece]:
    if block.end - block.start <= most:
        yield _Piece(block.start, block.end)
        return
    under = " ".join(text[block.start : block.header].split())[:_ROW] if block.header > 0 else ""
    found = rows(text, block.start, block.end) if block.shape == "records" else _ends(text, block.start, block.end)
    for start, end in found:
        # The first row need not be told what it says itself.
        said = under if start > block.start else ""
        if end - start <= most:
            if not text[start:end].isspace() and end > start:
                yield _Piece(start, end, said)
            continue
        for line, stop in _ends(text, start, end):
            yield from (piece._replace(under=said) for piece in _words(text, line, stop, most))


def _ends(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end:
        stop = text.find("\n", start, end)
        stop = end if stop < 0 else stop
        yield start, stop
        start = stop + 1


def _code(text: str, block: Block, most: int) -> Iterator[_Piece]:
    """Return the lines of code; a passage had better begin after an empty one, where nothing is indented deep."""
    gap = False
    depths = [
        len(line) - len(line.lstrip())
        for line in text[block.start : block.end].split("\n")
        if line and line[0].isspace()
    ]
    shallow = min(depths, default=0)
    for start, end in _ends(text, block.start, block.end):
        line = text[start:end]
        if not line or line.isspace():
            gap = True
            continue
        anew = gap and len(line) - len(line.lstrip()) <= shallow
        gap = False
        if end - start <= most:
            yield _Piece(start, start + len(line.rstrip()), "", anew)
        else:
            yield from _words(text, start, end, most)


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    at = start
    for stop in _STOP.finditer(text, start, end):
        if text[stop.start()] == "." and _SHORT.search(text, max(at, stop.start() - 12), stop.start() + 1):
            continue
        if stop.end() < end:
            yield at, stop.end()
            at = stop.end()
    yield at, end


def _words(text: str, start: int, end: int, most: int) -> Iterator[_Piece]:
    """Return a stretch without the blanks at its ends, in pieces where it is too long: of words, or of characters."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    end = start + len(piece.strip())
    while end - start > most:
        # The last blank that leaves neither side with next to nothing.
        stop = max(
            text.rfind(" ", start + most // 2, start + most + 1), text.rfind("\n", start + most // 2, start + most)
        )
        stop = stop if stop > 0 else _between(text, start + most, start + most // 2)
        cut = text[start:stop]
        yield _Piece(start, start + len(cut.rstrip()))
        start = stop + len(text[stop:end]) - len(text[stop:end].lstrip())
    if end > start:
        yield _Piece(start, end)


def _between(text: str, at: int, least: int) -> int:
    """Return a place at or before ``at`` that does not part a character from its marks, or ``at`` if there is none."""
    for place in range(at, least, -1):
        after = text[place]
        joined = after in "\u200d\ufe0f" or text[place - 1] == "\u200d" or "\U0001f3fb" <= after <= "\U0001f3ff"
        if not joined and not unicodedata.combining(after):
            return place
    return at
