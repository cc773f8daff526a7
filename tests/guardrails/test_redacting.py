"""Content that may be kept: strings of JSON and of streams, masked."""

import json

import pytest

from mainstay.core.record import Content, Record
from mainstay.guardrails import redacting
from mainstay.guardrails.patterns import word_scanner
from mainstay.guardrails.redacting import Redaction


def redacted(request: str, response: str = "") -> Content:
    redaction = Redaction()
    redaction.scanners = {"r": (word_scanner(["jane", "doe"]), word_scanner(["jane doe"]))}
    record = Record("1", "1", 0, route="r", content=Content(request, response))
    content = redaction.redact(record)
    assert content is not None
    return content


def test_strings_are_masked_and_the_rest_stays() -> None:
    asked = {"model": "jane", "n": 1, "messages": [{"content": 'ask "Jane"\nnow', "jane": True}]}
    assert json.loads(redacted(json.dumps(asked)).request) == {
        "model": "[WORD]",
        "n": 1,
        "messages": [{"content": 'ask "[WORD]"\nnow', "jane": True}],
    }
    assert redacted("plain jane doe text").request == "plain [WORD] text"


def test_what_a_stream_cut_in_two_is_found() -> None:
    pieces = ["I saw ja", "ne to", "day ja", "ne"]
    events = [{"id": "x", "choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    assert json.loads(redacted("{}", stream).response) == {
        "id": "x",
        "choices.0.delta.content": "I saw [WORD] today [WORD]",
    }


def test_of_long_content_the_beginning_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redacting, "MOST", 20)
    assert json.loads(redacted(json.dumps(["jane here", "far too long for it", "!"])).request) == [
        "[WORD] here",
        "[NOT KEPT]",
        "[NOT KEPT]",
    ]
    assert redacted("so jane went on and on and on").request == "so [WORD] went on and [NOT KEPT]"


def test_where_nobody_looks_nothing_is_kept() -> None:
    assert Redaction().redact(Record("1", "1", 0, route="r", content=Content("a"))) is None
