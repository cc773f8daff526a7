"""The text of PDF files, page by page; a page that is a picture is read as one. The package is ``pypdfium2``.

Pages, and the headings that a file's own outline points to, are told beside it (``Text.marks``).

Runs in a process of its own only (``child``): the library is C++ and meets files made to break it.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Final

from mainstay.core.errors import Unreadable
from mainstay.reading.port import Limits, Mark, Text

__all__ = ["is_installed", "read_pdf"]

#: Pixels per point that a page is drawn with to be read as a picture: 144 to the inch.
_SCALE: Final = 2.0
#: Characters below which a page counts as a picture: a page number is no text.
_FEW: Final = 8
#: Entries of an outline that are read, and letters of each.
_ENTRIES: Final = 2_000
_TITLE: Final = 300
#: Titles that a program gave, not a person.
_IDLE: Final = re.compile(
    r"(?:microsoft |untitled|document\d*$)|\.(?:docx?|pptx?|xlsx?|indd|tex|dvi|qxd)$", re.IGNORECASE
)


def is_installed() -> bool:
    """Return whether PDF can be read, without loading anything."""
    return find_spec("pypdfium2") is not None


def read_pdf(data: bytes, limits: Limits, picture: Callable[[Any], str] | None) -> Text:
    """Return the text of a PDF; ``picture`` reads a drawn page (a Pillow image), None leaves such pages empty.

    Raises:
        Unreadable: it is damaged, protected, or over a limit.
        ImportError: the package is not installed.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == 4:
            raise Unreadable("is protected with a password; send it without one") from None
        raise Unreadable("is a damaged PDF; save it again and send that") from None
    try:
        count = len(document)
        if count > limits.pages:
            raise Unreadable(f"has {count} pages and this route reads at most {limits.pages}; send fewer")
        texts: list[str] = []
        left = limits.characters
        for number in range(count):
            text = _page(document, number, limits, picture)
            left -= len(text)
            if left < 0:
                raise Unreadable("has more text than this route reads; send fewer pages")
            texts.append(text)
        marks, properties = _marks(document, texts), _properties(document)
    except pypdfium2.PdfiumError:
        raise Unreadable("is a damaged PDF; save it again and send that") from None
    finally:
        document.close()
    return Text("\n\n".join(text for text in texts if text), "pdf", count, marks, properties)


def _marks(document: Any, texts: Sequence[str]) -> tuple[Mark, ...]:
    """Return where pages begin that hold text, and the headings of the outline."""
    marks: list[Mark] = []
    starts: list[int] = []
    at = 0
    for number, text in enumerate(texts, 1):
        starts.append(at)
        if text:
            marks.append(Mark(at, "page", number))
            at += len(text) + 2
    # An outline may be broken where the pages are not.
    with contextlib.suppress(RuntimeError, ValueError):
        marks += _outline(document, texts, starts)
    # A page comes before what stands at its start, and headings in the outline's order.
    marks.sort(key=lambda mark: (mark.offset, mark.kind != "page"))
    return tuple(marks)


def _outline(document: Any, texts: Sequence[str], starts: Sequence[int]) -> Iterator[Mark]:
    plain: dict[int, str] = {}
    for number, entry in enumerate(document.get_toc()):
        if number == _ENTRIES:
            break
        title = " ".join((entry.get_title() or "").split())[:_TITLE]
        target = entry.get_dest()
        page = target.get_index() if target is not None else None
        if not title or page is None or page >= len(texts) or not texts[page]:
            continue
        # The outline points to a page; the words themselves tell where on it.
        if page not in plain:
            lower = texts[page].replace("\n", " ").lower()
            plain[page] = lower if len(lower) == len(texts[page]) else texts[page]
        yield Mark(starts[page] + max(0, plain[page].find(title.lower())), "heading", entry.level + 1, title)


def _properties(document: Any) -> Mapping[str, str]:
    title = document.get_metadata_value("Title").strip()[:_TITLE]
    date = document.get_metadata_value("ModDate") or document.get_metadata_value("CreationDate")
    found = {"title": "" if _IDLE.search(title) else title, "date": date.strip()[:64]}
    return {name: value for name, value in found.items() if value}


def _page(document: Any, number: int, limits: Limits, picture: Callable[[Any], str] | None) -> str:
    page = document[number]
    try:
        words = page.get_textpage()
        try:
            text = words.get_text_bounded().replace("\r\n", "\n").replace("\ufffe", "").strip()
        finally:
            words.close()
        if picture is None or len(text) >= _FEW or not any(True for _ in page.get_objects(max_depth=2)):
            return str(text)
        width, height = page.get_size()
        # A page may be a mile wide.
        scale = min(_SCALE, (limits.pixels / max(1.0, width * height)) ** 0.5)
        bitmap = page.render(scale=scale)
        try:
            return picture(bitmap.to_pil().convert("RGB")) or str(text)
        finally:
            bitmap.close()
    finally:
        page.close()
