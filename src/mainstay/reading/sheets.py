"""The cells of an Excel workbook, a line for each row and a tab between columns. Knows zip and XML by ``archive``."""

import datetime
import re
from collections.abc import Sequence
from typing import Final

from mainstay.core.errors import Unreadable
from mainstay.reading.archive import Archive, local, parse
from mainstay.reading.port import Limits

__all__ = ["read_workbook"]

#: Number formats for dates and times that every Excel has (ECMA-376, 18.8.30).
_DATES: Final = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_QUOTED: Final = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
_COLUMN: Final = re.compile(r"[A-Z]{1,3}")
#: Empty columns that are kept between two filled ones.
_GAP: Final = 64
_EPOCH: Final = datetime.datetime(1899, 12, 30)  # noqa: DTZ001 - a cell has no time zone
_EPOCH_1904: Final = datetime.datetime(1904, 1, 1)  # noqa: DTZ001 - a cell has no time zone


def read_workbook(archive: Archive, sheets: Sequence[tuple[str, str]], limits: Limits) -> list[str]:
    """Return the text of each sheet: its name, then its rows.

    Args:
        archive: the workbook.
        sheets: name and path of each sheet.
        limits: what may be read.

    Raises:
        Unreadable: it is damaged, or over a limit.
    """
    if len(sheets) > limits.pages:
        raise Unreadable(f"has {len(sheets)} sheets and this route reads at most {limits.pages}; send fewer")
    shared = _Shared(limits.characters)
    if "xl/sharedStrings.xml" in archive.names:
        parse(archive.read("xl/sharedStrings.xml"), shared.start, shared.end, shared.text)
    styles = _Styles()
    if "xl/styles.xml" in archive.names:
        parse(archive.read("xl/styles.xml"), styles.start, styles.end)
    epoch = _Epoch()
    parse(archive.read("xl/workbook.xml"), epoch.start, epoch.end)
    texts = []
    left = limits.characters
    for name, path in sheets:
        sheet = _Sheet(shared.strings, styles.dates, epoch.first, left)
        parse(archive.read(path), sheet.start, sheet.end, sheet.text)
        left = sheet.left
        texts.append("\n".join([f"Sheet {name}", *sheet.rows]))
    return texts


class _Shared:
    """Texts that cells refer to by number; pronunciations beside them are left out."""

    def __init__(self, limit: int) -> None:
        self.strings: list[str] = []
        self._pieces: list[str] = []
        self._reads = self._aside = False
        # A workbook may hold texts that no cell refers to.
        self._left = 4 * limit

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = local(name)
        if name == "si":
            self._pieces = []
        elif name == "rPh":
            self._aside = True
        self._reads = name == "t" and not self._aside

    def end(self, name: str) -> None:
        name = local(name)
        if name == "si":
            self.strings.append("".join(self._pieces))
        elif name == "rPh":
            self._aside = False
        self._reads = False

    def text(self, data: str) -> None:
        if self._reads:
            self._left -= len(data)
            if self._left < 0:
                raise Unreadable("has more text than this route reads; send a smaller workbook")
            self._pieces.append(data)


class _Styles:
    """Which styles of cells show a number as a date."""

    def __init__(self) -> None:
        self.dates: list[bool] = []
        self._own: dict[str, bool] = {}
        self._cells = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = local(name)
        if name == "numFmt":
            code = _QUOTED.sub("", attributes.get("formatCode", "")).lower()
            self._own[attributes.get("numFmtId", "")] = any(letter in code for letter in "ymdhs") and "0.0" not in code
        elif name == "cellXfs":
            self._cells = True
        elif name == "xf" and self._cells:
            number = attributes.get("numFmtId", "0")
            self.dates.append(self._own.get(number, number.isdigit() and int(number) in _DATES))

    def end(self, name: str) -> None:
        if local(name) == "cellXfs":
            self._cells = False


class _Epoch:
    """The day that dates are counted from."""

    def __init__(self) -> None:
        self.first = _EPOCH

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if local(name) == "workbookPr" and attributes.get("date1904") in ("1", "true"):
            self.first = _EPOCH_1904

    def end(self, name: str) -> None:
        """Heed no end of an element."""


class _Sheet:
    """The rows of one sheet. ``left`` is how many characters may still come."""

    def __init__(self, strings: Sequence[str], dates: Sequence[bool], epoch: datetime.datetime, left: int) -> None:
        self.rows: list[str] = []
        self.left = left
        self._strings, self._dates, self._epoch = strings, dates, epoch
        self._row: list[str] = []
        self._column = 0
        self._kind = self._style = ""
        self._pieces: list[str] = []
        self._reads = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = local(name)
        if name == "row":
            self._row = []
        elif name == "c":
            letters = _COLUMN.match(attributes.get("r", ""))
            self._column = _number(letters[0]) if letters else len(self._row)
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "")
            self._pieces = []
        # A formula stands in "f"; its value in "v". Text within a cell stands in "is", in "t".
        self._reads = name in ("v", "t")

    def end(self, name: str) -> None:
        name = local(name)
        self._reads = False
        if name == "c":
            self._cell(self._value("".join(self._pieces)))
        elif name == "row" and any(self._row):
            self.rows.append("\t".join(self._row))

    def text(self, data: str) -> None:
        if self._reads:
            self._pieces.append(data)

    def _cell(self, value: str) -> None:
        if not value:
            return
        self.left -= len(value) + 1
        if self.left < 0:
            raise Unreadable("has more text than this route reads; send a smaller workbook")
        # Cells come in order; a row with a cell in its last column only is no reason for 16,000 tabs.
        self._row += [""] * min(self._column - len(self._row), _GAP)
        self._row.append(value.replace("\n", " ").replace("\t", " "))

    def _value(self, text: str) -> str:
        if self._kind == "s":
            place = int(text) if text.isdigit() and len(text) < 10 else -1
            return self._strings[place] if 0 <= place < len(self._strings) else ""
        if self._kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(text, text)
        style = int(self._style) if self._style.isdigit() and len(self._style) < 7 else -1
        if self._kind == "n" and 0 <= style < len(self._dates) and self._dates[style]:
            return _date(text, self._epoch)
        return text


def _number(letters: str) -> int:
    """Return the place of a column from 0, by its letters."""
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place - 1


def _date(text: str, epoch: datetime.datetime) -> str:
    """Return a date, a time of day or both for a number of days."""
    try:
        days = float(text)
        moment = epoch + datetime.timedelta(seconds=round(days * 86400))
    except (ValueError, OverflowError):
        return text
    if days < 1:
        return moment.strftime("%H:%M:%S")
    return moment.strftime("%Y-%m-%d") if days == int(days) else moment.strftime("%Y-%m-%d %H:%M:%S")
