"""Content as it may be kept where a route says ``content: redacted``: what is personal or secret in it is masked.

Works on the strings of what was said, in JSON and in streams, whose pieces are put together first: what is cut in two
is found all the same. Knows no dialect: strings of one field belong together.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mainstay.core.record import Content, Record
from mainstay.guardrails.bodies import Stretch, json_strings, with_strings
from mainstay.guardrails.port import Finding, Scanner
from mainstay.guardrails.rails import mask_for

__all__ = ["MOST", "Redaction"]

#: Characters of a request, and of an answer, that are looked at: it is done between two calls. What is after them is
#: not kept.
MOST: Final = 20_000
_LEFT_OUT: Final = "[NOT KEPT]"


class Redaction:
    """Redacts records; ``scanners`` by route are set anew when the configuration changes."""

    def __init__(self) -> None:
        self.scanners: Mapping[str, Sequence[Scanner]] = {}

    def redact(self, record: Record) -> Content | None:
        """Return a record's content as it may be kept; None where nobody looks."""
        scanners, content = self.scanners.get(record.route), record.content
        if not scanners or content is None:
            return None
        return Content(_redacted(content.request, scanners), _redacted(_joined(content.response), scanners))


def _redacted(text: str, scanners: Sequence[Scanner]) -> str:
    strings = json_strings(text)
    if strings is None:
        return _masked(text[:MOST], scanners) + (_LEFT_OUT if len(text) > MOST else "")
    values: dict[Stretch, str] = {}
    left = MOST
    for stretch in strings:
        size = len(stretch.value)
        left -= size
        value = _masked(stretch.value, scanners) if left >= 0 else _LEFT_OUT
        if value != stretch.value:
            values[stretch] = value
    return with_strings(text, values)


def _masked(text: str, scanners: Sequence[Scanner]) -> str:
    found: list[Finding] = [one for scanner in scanners for one in scanner.scan(text)]
    if not found:
        return text
    done: list[str] = []
    position = 0
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if one.start >= position:
            done += [text[position : one.start], mask_for(one.kind)]
        position = max(position, one.end)
    return "".join((*done, text[position:]))


def _joined(text: str) -> str:
    """Return a stream of events as one object: by field, what its pieces say together. Other text as it is."""
    if not text.startswith(("data:", "event:", ":")):
        return text
    fields: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("data:"):
            try:
                _gather(json.loads(line[5:]), "", fields)
            except (ValueError, RecursionError):
                continue
    return json.dumps({name: "".join(pieces) for name, pieces in fields.items()}, ensure_ascii=False)


def _gather(value: Any, name: str, fields: dict[str, list[str]]) -> None:
    if isinstance(value, str):
        pieces = fields.setdefault(name, [])
        # The id and the model of an answer come with every event.
        if not pieces or pieces[-1] != value or name.endswith(("content", "text", "delta", "arguments", "json")):
            pieces.append(value)
    elif isinstance(value, dict):
        number = value.get("index")
        name = f"{name}.{number}" if isinstance(number, int) and name else name
        for key, one in value.items():
            _gather(one, f"{name}.{key}" if name else key, fields)
    elif isinstance(value, list):
        for one in value:
            _gather(one, name, fields)
