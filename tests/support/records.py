"""Records to fill a journal or a database with."""

from typing import Any

import msgspec

from mainstay.core.ids import uuid7
from mainstay.core.record import Attempt, Record
from mainstay.core.usage import Usage


def make_record(**fields: Any) -> Record:
    """Return a record of a plain answered call, with ``fields`` on top."""
    id_ = fields.pop("id", None) or uuid7()
    plain: dict[str, Any] = {
        "request_id": f"req-{id_}",
        "at": 1_790_000_000_000,
        "method": "POST",
        "path": "/v1/chat/completions",
        "key": "key_alice",
        "team": "web",
        "asked": "assistant",
        "route": "assistant",
        "target": "small",
        "provider": "house",
        "vendor": "llamacpp",
        "served": "small",
        "outcome": "ok",
        "status": 200,
        "finish": "stop",
        "attempts": [Attempt(target="small", provider="house", outcome="ok", status=200, total_ms=12.5)],
        "usage": Usage(input=10, output=20),
        "total_ms": 13.25,
        "config": "c0ffee",
    }
    return Record(id=id_, **{**plain, **fields})


def line(record: Record) -> bytes:
    """Return the record as a line of the journal, without its newline."""
    return msgspec.json.encode(record)
