"""Sealed reasoning on its way to the caller and back: every byte but the mark stays."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.prompt import ThinkingPart
from mainstay.core.seal import last_maker, mark, unmark
from mainstay.providers.responses.sealed import open_own, open_seal, seal, seal_answer
from mainstay.providers.responses.wire import sign
from support import responses_vendor as wire

THOUGHT = wire.reasoning("Hm.", encrypted="gAAA_-==")


@given(st.text(), st.text(), st.text())
def test_another_vendors_proof_comes_back_as_it_was(text: str, signature: str, redacted: str) -> None:
    assert open_seal(seal(text, signature, redacted)) == ThinkingPart(text, signature, redacted)


def test_who_made_a_proof_is_seen_from_outside() -> None:
    for signature in (mark("a:b", "gA"), sign("rs_1", mark("a:b", "gA")), f"gemini:call:0:{mark('a:b', 'gA')}"):
        sealed = seal("Hm", signature, "")
        assert unmark(sealed)[0] == "a:b"
        assert last_maker(json.dumps({"encrypted_content": sealed}).encode()) == "a:b"
        assert open_seal(sealed) == ThinkingPart("Hm", signature)
    assert unmark(seal("Hm", "EqQB==", ""))[0] == ""


@pytest.mark.parametrize("given_one", ["", "gAAAA", "mainstay-1.", "mainstay-1.%%%", "mainstay-1.AAAA"])
def test_what_is_no_seal_of_ours_is_none(given_one: str) -> None:
    assert open_seal(given_one) is None


@pytest.mark.parametrize("spaces", [None, (",", ":")])
@pytest.mark.parametrize("indent", [None, 1])
def test_an_answer_gets_its_marks_and_a_request_loses_them(spaces: Any, indent: int | None) -> None:
    for said in (wire.answer(THOUGHT, wire.message(wire.part("x"))), *wire.events(wire.answer(THOUGHT))):
        data = json.dumps(said, separators=spaces, indent=indent).encode()
        marked = seal_answer(data, "one")
        assert marked.count(b"mainstay:one|gAAA_-==") == data.count(b"gAAA_-==")
        assert open_own(marked, "one") == data
        assert open_own(marked, "two") == marked
        assert seal_answer(data, "") is data


def test_only_what_is_sealed_is_marked() -> None:
    talk = {"type": "tool_search_call", "arguments": {"encrypted_content": "mine"}, "encrypted_content": None}
    said = wire.answer(talk, wire.message(wire.part('"encrypted_content":"gAAA"')), metadata={"encrypted_content": "x"})
    data = json.dumps(said, separators=(",", ":")).encode()
    assert seal_answer(data, "one") == data


@pytest.mark.parametrize(
    "data", [b"{", b"[]", b'{"output": 5, "encrypted_content": "x"}', b'{"output": [{"encrypted_content": 5}]}']
)
def test_what_cannot_be_read_stays_as_it_is(data: bytes) -> None:
    assert seal_answer(data, "one") == data


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1))
def test_any_sealed_text_survives(sealed: str) -> None:
    data = msgspec.json.encode(wire.answer(wire.reasoning("Hm", encrypted=sealed)))
    found = json.loads(seal_answer(data, "one"))["output"][0]["encrypted_content"]
    assert found == mark("one", sealed)
    assert open_own(seal_answer(data, "one"), "one") == data
