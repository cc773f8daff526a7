"""Files of rows, CSV and JSONL, as documents: one for each row, so that a row that changed is a document that changed.

A row is called by its id, else by what it says; its words are one of its fields, else all of them as lines of
``name: value``. What a document's text is, offsets count in, and quotes are taken from, is these words, not the file.
Pure.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec

from mainstay.core.config import parse_duration
from mainstay.core.errors import Unreadable
from mainstay.grounding.config import RowsConfig
from mainstay.grounding.matter import Matter, read_terms
from mainstay.grounding.normal import normalise

__all__ = ["TABULAR", "Row", "Table", "read_row", "read_table"]

#: Kinds of files that rows are taken from.
TABULAR: Final = frozenset({"text/csv", "text/tab-separated-values", "application/jsonl"})
_IDS: Final = ("id", "_id")
_TEXTS: Final = ("text", "content", "body")
_APART: Final = ",;\t|"
_LONGEST_ID: Final = 120
_HASHED: Final = 12
#: What a Markdown text has: headings, fences, links.
_MARKDOWN: Final = re.compile(r"^#{1,6} \S|^```|\[[^\]\n]+\]\([^)\s]+\)", re.MULTILINE)


class Row(msgspec.Struct, frozen=True):
    """A row: what it is called within its file, its fields, and the SHA-256 of these and of how they are read.
    ``of_text``: its words are those of a field of it; rows of a table look alike and are not."""

    name: str
    said: dict[str, Any]
    sha256: str
    of_text: bool = True


class Table(msgspec.Struct, frozen=True):
    """The rows of a file in their order, and the places that could not be read: which, and why not (the end of a
    sentence)."""

    rows: Sequence[Row]
    problems: Sequence[tuple[str, str]] = ()


def read_table(text: str, kind: str, rules: RowsConfig, most: int) -> Table | None:
    """Return the rows of a file, None where it has none with names for their fields: it is one document then.

    Args:
        text: the file's text, normalised.
        kind: its media type, one of ``TABULAR``.
        rules: how rows are read.
        most: how many rows it may have.

    Raises:
        Unreadable: it has more than ``most`` rows, or one that is no row.
    """
    problems: list[tuple[str, str]] = []
    found = _objects(text, problems) if kind == "application/jsonl" else _cells(text, kind)
    if found is None:
        return None
    mark = json.dumps([rules.id, rules.text, rules.title])
    names: set[str] = set()
    counts: dict[str, int] = {}
    rows: list[Row] = []
    for said in found:
        if len(rows) == most:
            raise Unreadable(f"has more than the {most} rows that are read; split it, or raise 'limits.rows'")
        told = json.dumps(said, ensure_ascii=False, sort_keys=True)
        sha256 = hashlib.sha256(f"{mark}\n{told}".encode("utf-8", "replace")).hexdigest()
        name = _id(said, rules) or sha256[:_HASHED]
        first, count = name, counts.get(name, 1)
        while name in names:
            count += 1
            name = f"{first}-{count}"
        names.add(name)
        counts[first] = count
        rows.append(Row(name, said, sha256, bool(_texts(said, rules))))
    return Table(rows, problems)


def _objects(text: str, problems: list[tuple[str, str]]) -> Iterator[dict[str, Any]] | None:
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines or not lines[0][1].lstrip().startswith("{"):
        return None

    def each() -> Iterator[dict[str, Any]]:
        for number, line in lines:
            try:
                said = json.loads(line)
            except (ValueError, RecursionError):
                said = None
            if isinstance(said, dict):
                yield said
            else:
                problems.append((f"line {number}", "is no JSON object; correct it"))

    return each()


def _cells(text: str, kind: str) -> Iterator[dict[str, Any]] | None:
    first = text.lstrip("\n").partition("\n")[0]
    apart = "\t" if kind != "text/csv" else next((mark for mark in _APART if mark in first), ",")
    lines = csv.reader(io.StringIO(text.lstrip("\n"), newline=""), delimiter=apart)
    try:
        header = [cell.strip() for cell in next(lines, [])]
    except csv.Error:
        return None
    # A first row that says no names is data: no name is empty, a number, or there twice.
    if not header or len(set(header)) != len(header) or not all(cell and not cell[0].isdigit() for cell in header):
        return None

    def each() -> Iterator[dict[str, Any]]:
        try:
            for cells in lines:
                if any(cell.strip() for cell in cells):
                    more = (f"column {number}" for number in range(len(header) + 1, len(cells) + 1))
                    yield dict(zip([*header, *more], cells, strict=False))
        except csv.Error:
            raise Unreadable(
                f"has a row that is none near line {lines.line_num}: is a quote left open? Correct it, or read the file"
                " as one document"
            ) from None

    return each()


def read_row(row: Row, rules: RowsConfig) -> tuple[str, str, Matter]:
    """Return the words of a row, their media type, and what the row says of itself.

    Raises:
        Unreadable: its groups are no names.
    """
    said = row.said
    fields = _texts(said, rules)
    if fields:
        text = normalise("\n\n".join(_spoken(said[name]) for name in fields)).strip()
    else:
        lines = ((name, _spoken(value)) for name, value in said.items())
        text = normalise("\n".join(f"{name}: {value}" for name, value in lines if value)).strip()
    kind = "text/markdown" if fields and len(_MARKDOWN.findall(text)) > 1 else "text/plain"
    terms = {name: value for name, value in said.items() if name not in fields}
    if rules.title and rules.title in said:
        terms["title"] = said[rules.title]
    # What data calls so is seldom meant for us.
    other = {name: terms.pop(name) for name in list(terms) if name.lower() == "ttl" and not _is_duration(terms[name])}
    matter = read_terms(terms, "row")
    kept = {name: str(value)[:64] for name, value in other.items() if value not in (None, "")}
    return text, kind, msgspec.structs.replace(matter, fields={**matter.fields, **kept}) if kept else matter


def _texts(said: dict[str, Any], rules: RowsConfig) -> list[str]:
    """Return the fields that are a row's words, none where all of them are."""
    if rules.text:
        return [name for name in rules.text if _spoken(said.get(name))]
    return [name for name in _TEXTS if _spoken(said.get(name))][:1]


def _is_duration(value: object) -> bool:
    try:
        parse_duration(value)
    except ValueError:
        return False
    return True


def _id(said: dict[str, Any], rules: RowsConfig) -> str:
    """Return a row's own id on one line, "" where it has none that can be a name."""
    for name in (rules.id,) if rules.id else _IDS:
        value = said.get(name)
        if isinstance(value, str | int) and not isinstance(value, bool):
            found = " ".join(normalise(str(value)).split())
            if 0 < len(found) <= _LONGEST_ID:
                return found
    return ""


def _spoken(value: object) -> str:
    """Return a value as words: several in lines, what is nested as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value).strip()
    return json.dumps(value, ensure_ascii=False)
