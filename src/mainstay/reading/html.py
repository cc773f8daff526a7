"""The text of a web page: what a reader would see, in lines; links, styles and scripts left out. Pure.

Where headings, code, tables and navigation stand in that text is told beside it (``Text.marks``).
"""

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Final

from mainstay.reading.plain import decode
from mainstay.reading.port import Mark, Text

__all__ = ["read_html", "read_page"]

_HIDDEN: Final = frozenset({"script", "style", "template", "noscript", "svg", "math", "iframe", "object", "select"})
_BLOCKS: Final = frozenset(
    {"address", "article", "aside", "blockquote", "body", "br", "dd", "details", "div", "dl", "dt", "fieldset"}
    | {"figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "legend"}
    | {"li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "title", "tr"}
    | {"ul"}
)
_CELLS: Final = frozenset({"td", "th"})
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
#: What is kept together, and what a page's reader passes over; ``title`` is told as a property.
_WHOLE: Final = frozenset({"pre", "table"})
_ASIDE: Final = frozenset({"nav", "footer", "title"})
_ROLES: Final = frozenset({"navigation", "banner", "contentinfo", "search"})
#: Names under which pages say when they are from, the best first.
_DATES: Final = (
    "article:modified_time", "og:updated_time", "last-modified", "dcterms.modified", "article:published_time",
    "dcterms.date", "dc.date", "date", "pubdate",
)  # fmt: skip
#: Stands for a place while lines are put together: half of a pair, which no decoded text has.
_HERE: Final = "\ud800"
_MOST: Final = 5_000
_LONGEST: Final = 1_000
_CHARSET: Final = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_SPACE: Final = re.compile(r"[ \t\n\r\f\v\u00a0]+")
_LINES: Final = re.compile(r"\n{3,}")


def read_html(data: bytes) -> str:
    """Return the text of a page.

    Raises:
        Unreadable: it is no text.
    """
    return read_page(data).text


def read_page(data: bytes) -> Text:
    """Return the text of a page, and what it tells of its parts and of itself.

    Raises:
        Unreadable: it is no text.
    """
    found = _CHARSET.search(data[:2048])
    parser = _Seen()
    parser.feed(decode(data, found[1].decode() if found else "").replace(_HERE, ""))
    parser.close()
    return parser.read()


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._hidden: list[str] = []
        self._kept = 0
        #: Of each place in the text the number of the stretch that begins or ends there; of each stretch what it is.
        self._places: list[int] = []
        self._stretches: list[str] = []
        #: Elements that are open: name, number of the stretch (-1 for none), and what is open of each name and kind.
        self._open: list[tuple[str, int, str]] = []
        self._count: Counter[str] = Counter()
        self._said: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._hidden:
            # Within what is hidden only the same tag counts: "<" is common in scripts.
            if tag == self._hidden[-1]:
                self._hidden.append(tag)
            return
        if tag in _HIDDEN:
            self._hidden.append(tag)
        elif tag in _CELLS:
            self._pieces.append("\t")
        elif tag in _BLOCKS:
            self._pieces.append("\n- " if tag == "li" else "\n")
            self._kept += tag == "pre"
        elif tag == "img":
            self._pieces += [f" {value} " for name, value in attrs if name == "alt" and value]
        elif tag == "meta":
            said = {name: value or "" for name, value in attrs}
            named = said.get("property") or said.get("name") or said.get("http-equiv") or ""
            self._said.setdefault(named.lower(), said.get("content", "").strip())
        self._begin(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag == self._hidden[-1]:
                self._hidden.pop()
            return
        if self._count[tag]:
            # What was left open within it ends with it, and is not told.
            name = ""
            while name != tag:
                name, stretch, kind = self._open.pop()
                self._count.subtract((name, kind))
            if stretch >= 0:
                self._here(stretch)
        if tag in _BLOCKS:
            self._pieces.append("\n")
            self._kept -= tag == "pre" and self._kept > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._pieces.append(data if self._kept else _SPACE.sub(" ", data))

    def _begin(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        role = next((value for name, value in attrs if name == "role"), None) if attrs else None
        aside = tag in _ASIDE or (role in _ROLES and tag in _BLOCKS)
        kind = "an aside" if aside else "a whole" if tag in _WHOLE else "a heading" if tag in _HEADINGS else ""
        # Navigation within navigation says nothing more, and the inner of two tables goes with the outer.
        if kind and (kind == "a heading" or not self._count[kind]) and len(self._stretches) < _MOST:
            self._open.append((tag, len(self._stretches), kind))
            self._here(len(self._stretches))
            self._stretches.append("aside" if aside and tag != "title" else tag)
        elif self._count[tag]:
            # Of its own kind within it: the first end is not the end of the outer one.
            self._open.append((tag, -1, ""))
        else:
            return
        self._count.update((tag, kind if self._open[-1][1] >= 0 else ""))

    def _here(self, stretch: int) -> None:
        self._places.append(stretch)
        self._pieces.append(_HERE)

    def read(self) -> Text:
        """Return what was seen, no line with space at its ends, at most one empty line on end."""
        lines: list[str] = []
        offsets: list[int] = []
        length = 0
        for raw in "".join(self._pieces).split("\n"):
            bare = raw.replace(_HERE, "")
            line = bare.strip(" ").rstrip("\t")
            cut = len(bare) - len(bare.lstrip(" ")) + len(line) - len(line.lstrip("\t"))
            line = line.lstrip("\t")
            empty = not line and bool(lines) and not lines[-1]
            if raw != bare:
                before = 0
                for piece in raw.split(_HERE)[:-1]:
                    before += len(piece)
                    offsets.append(length - empty + min(max(0, before - cut), len(line)))
            if not empty:
                lines.append(line)
                length += len(line) + 1
        whole = "\n".join(lines)
        text = whole.strip()
        lead = len(whole) - len(whole.lstrip())
        marks, title = self._marks(text, [min(max(0, offset - lead), len(text)) for offset in offsets])
        dates = (self._said[name] for name in _DATES if self._said.get(name))
        properties = {"title": title, "date": next(dates, "")}
        return Text(text, "html", 0, marks, {name: value for name, value in properties.items() if value})

    def _marks(self, text: str, offsets: list[int]) -> tuple[tuple[Mark, ...], str]:
        """Return where the stretches lie that were closed, and what the page is called."""
        marks: list[Mark] = []
        begun: dict[int, int] = {}
        title = ""
        for stretch, place in zip(self._places, offsets, strict=True):
            start = begun.setdefault(stretch, place)
            what = self._stretches[stretch]
            # What is no heading is never within its like, so all of it together is no longer than the text.
            inner = text[start : min(place, start + _LONGEST)] if what in _HEADINGS else text[start:place]
            said = " ".join(inner[:_LONGEST].split()) or inner.strip()
            if not said:
                # It begins here, or holds nothing.
                continue
            start += len(inner) - len(inner.lstrip())
            if what == "title":
                title = title or said[:300]
            if what in _HEADINGS:
                marks.append(Mark(start, "heading", _HEADINGS[what], said[:300]))
            else:
                marks.append(Mark(start, "whole" if what in _WHOLE else "aside", end=start + len(inner.strip())))
        marks.sort(key=lambda mark: mark.offset)
        return tuple(marks), title
