"""YAML text as plain values, with the line of each.

Reads the core of YAML 1.2: mappings, lists and plain scalars; only ``true`` and ``false`` are booleans, and a key is
the text that was written, so that ``no`` and ``1.10`` may be names. Anchors and aliases work within a bound; tags,
merge keys, duplicate keys and second documents are problems. Works on the parser's events, so that no nesting can
exhaust the stack and each value's line is known. Knows nothing of the schema.
"""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml

from mainstay.config.problems import Finding, Place, clip

__all__ = ["MAX_BYTES", "Document", "read_yaml"]

#: Longest file that is read, in bytes.
MAX_BYTES = 8 * 1024 * 1024
_MAX_DEPTH = 32
_MAX_VALUES = 200_000

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INT = re.compile(r"[-+]?[0-9]{1,30}")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]{1,30}|0x[0-9A-Fa-f]{1,30}")
#: Small exponents only: a number is turned into digits sooner or later.
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,60}|[0-9]{1,60}(?:\.[0-9]{0,60})?)(?:[eE][-+]?[0-9]{1,2})?")


@dataclass(slots=True)
class Document:
    """The values of one file, the line of each place (from 1), and what was wrong with the text.

    Numbers with a point are ``Decimal``, exactly as written. Of a mapping's entry the line is that of its key.
    """

    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    findings: list[tuple[int, Finding]] = field(default_factory=list)
    #: False when reading stopped before the end: what is missing then says nothing.
    complete: bool = True


class _Stop(Exception):
    """The rest of the text cannot be made sense of."""

    def __init__(self, line: int, place: Place, message: str) -> None:
        super().__init__(message)
        self.line, self.finding = line, Finding(place, message)


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come."""

    place: Place
    into: dict[str, Any] | list[Any]
    anchor: str | None
    before: int
    #: In a mapping: the key whose value comes next.
    key: str | None = None
    #: That value is of a key that cannot be used.
    drop: bool = False


def read_yaml(text: str) -> Document:
    """Return the values in ``text``; what is wrong with it is in ``findings``, each with its line."""
    document = Document()
    builder = _Builder(document)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            builder.take(event)
    except _Stop as stop:
        document.findings.append((stop.line, stop.finding))
        document.complete = False
    except yaml.YAMLError as error:
        document.findings.append(_syntax(error, text))
        document.complete = False
    return document


class _Builder:
    """Puts values together, event by event."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        self._count = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        """Take in the next event of the parser."""
        line = event.start_mark.line + 1
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _Stop(line, (), "a second document begins here; keep one per file, without '---' between")
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._begin({} if isinstance(event, yaml.MappingStartEvent) else [], event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                done = self._open.pop()
                if done.anchor is not None:
                    self._anchors[done.anchor] = (done.into, self._count - done.before, self._depth(done.into))
            case yaml.AliasEvent():
                self._alias(event.anchor or "", line)

    def _scalar(self, event: Any, line: int) -> None:
        self._refuse_tag(event.tag, line)
        top = self._open[-1] if self._open else None
        if top is not None and isinstance(top.into, dict) and top.key is None:
            self._key(top, event, line)
            return
        plain = event.implicit[0] and event.tag is None
        value = _resolve(event.value) if plain else event.value
        before = self._count
        self._put(value, line)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, self._count - before, 0)

    def _key(self, top: _Open, event: Any, line: int) -> None:
        name = event.value
        top.key, top.drop = name, False
        if event.implicit[0] and name == "<<":
            self._find(line, top.place, "merge keys ('<<') are not supported; repeat the fields, or alias whole values")
            top.drop = True
        elif name in top.into:
            first = self._document.lines[(*top.place, name)]
            self._find(line, (*top.place, name), f"is given twice, first on line {first}; keep one")
            top.drop = True
        self._document.lines.setdefault((*top.place, name), line)

    def _begin(self, into: dict[str, Any] | list[Any], event: Any, line: int) -> None:
        self._refuse_tag(event.tag, line)
        before = self._count
        place = self._put(into, line)
        if len(self._open) >= _MAX_DEPTH:
            raise _Stop(line, place, f"is nested more than {_MAX_DEPTH} deep")
        self._open.append(_Open(place, into, event.anchor, before))

    def _alias(self, anchor: str, line: int) -> None:
        if anchor not in self._anchors:
            message = f"the alias '*{clip(anchor)}' stands for nothing above it"
            if any(opened.anchor == anchor for opened in self._open):
                message = f"the alias '*{clip(anchor)}' stands inside the value it stands for"
            raise _Stop(line, self._open[-1].place if self._open else (), message)
        value, size, depth = self._anchors[anchor]
        self._count += size - 1
        place = self._put(value, line)
        if len(self._open) + depth > _MAX_DEPTH:
            raise _Stop(line, place, f"is nested more than {_MAX_DEPTH} deep")

    def _put(self, value: Any, line: int) -> Place:
        """Place ``value`` where the document is at; return that place."""
        self._count += 1
        place: Place = ()
        if self._open:
            top = self._open[-1]
            if isinstance(top.into, list):
                place = (*top.place, len(top.into))
                top.into.append(value)
            elif top.key is None:
                raise _Stop(line, top.place, "a key must be plain text")
            else:
                place = (*top.place, top.key)
                if not top.drop:
                    top.into[top.key] = value
                top.key = None
        else:
            self._document.value = value
        if self._count > _MAX_VALUES:
            raise _Stop(line, place, f"the file holds more than {_MAX_VALUES} values, aliases counted in full")
        self._document.lines.setdefault(place, line)
        return place

    def _depth(self, value: dict[str, Any] | list[Any]) -> int:
        inner = value.values() if isinstance(value, dict) else value
        return 1 + max((self._depth(one) for one in inner if isinstance(one, dict | list)), default=0)

    def _refuse_tag(self, tag: str | None, line: int) -> None:
        if tag is not None and tag not in ("!", "tag:yaml.org,2002:str"):
            place = self._open[-1].place if self._open else ()
            self._find(line, place, "tags ('!…') are not supported; leave the tag out")

    def _find(self, line: int, place: Place, message: str) -> None:
        self._document.findings.append((line, Finding(place, message)))


def _resolve(text: str) -> Any:
    """Return what plain ``text`` means by the core schema of YAML 1.2."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0)
    return Decimal(text) if _FLOAT.fullmatch(text) else text


def _syntax(error: yaml.YAMLError, text: str) -> tuple[int, Finding]:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        position = getattr(error, "position", 0)
        line = text.encode()[:position].count(b"\n") + 1 if isinstance(position, int) else 1
        return line, Finding((), "holds a character that YAML does not allow")
    rows = text.splitlines()
    row = rows[mark.line] if mark.line < len(rows) else ""
    if row[: len(row) - len(row.lstrip())].count("\t"):
        return mark.line + 1, Finding((), "is indented with a tab; YAML wants spaces")
    said = clip(getattr(error, "problem", None) or "it cannot be read")
    return mark.line + 1, Finding((), f"is not YAML: {said}", "check the indentation, colons and quotes around here")
