"""The text of a web page: what a reader would see, in lines; links, styles and scripts left out. Pure."""

import re
from html.parser import HTMLParser
from typing import Final

from mainstay.reading.plain import decode

__all__ = ["read_html"]

_HIDDEN: Final = frozenset({"script", "style", "template", "noscript", "svg", "math", "iframe", "object", "select"})
_BLOCKS: Final = frozenset(
    {"address", "article", "aside", "blockquote", "body", "br", "dd", "details", "div", "dl", "dt", "fieldset"}
    | {"figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "html", "legend"}
    | {"li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "tbody", "tfoot", "thead", "title", "tr"}
    | {"ul"}
)
_CELLS: Final = frozenset({"td", "th"})
_CHARSET: Final = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([A-Za-z0-9_.:-]{1,40})""", re.IGNORECASE)
_SPACE: Final = re.compile(r"[ \t\n\r\f\v\u00a0]+")
_LINES: Final = re.compile(r"\n{3,}")


def read_html(data: bytes) -> str:
    """Return the text of a page.

    Raises:
        Unreadable: it is no text.
    """
    found = _CHARSET.search(data[:2048])
    parser = _Seen()
    parser.feed(decode(data, found[1].decode() if found else ""))
    parser.close()
    return parser.text()


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._hidden: list[str] = []
        self._kept = 0

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

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag == self._hidden[-1]:
                self._hidden.pop()
        elif tag in _BLOCKS:
            self._pieces.append("\n")
            self._kept -= tag == "pre" and self._kept > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self._pieces.append(data if self._kept else _SPACE.sub(" ", data))

    def text(self) -> str:
        """Return what was seen, no line with space at its ends, at most one empty line on end."""
        lines = (line.strip(" ").rstrip("\t") for line in "".join(self._pieces).split("\n"))
        return _LINES.sub("\n\n", "\n".join(line.lstrip("\t") for line in lines)).strip()
