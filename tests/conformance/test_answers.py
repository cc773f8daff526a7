"""Any vendor's answer for any caller: one table of answers, every codec, every dialect, streamed and whole either way.

No sockets: the vendor's bytes go through its codec, the events through the caller's writer, and the official SDK's own
types and accumulators read what comes out.
"""

import json
from collections.abc import Callable
from itertools import pairwise, product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainstay.core.errors import MainstayError
from mainstay.core.events import FinishReason, Frame
from support.callers import CALLERS, Caller, Heard
from support.crossing import MODES, cross, read_frames, record, write_frames
from support.vendors import USAGE, VENDORS, Call, Said, Vendor, whole_piece

EMOJI = '{"city":"K\\u00f6ln \\ud83d\\ude00 \\"x\\"","n":[1,2.5,null]}'
ANSWERS = {
    "text": Said("Hello there."),
    "text of every kind": Said('Hé \U0001f600 "quoted" \\ \u2028 \x7f</s>\n\n'),
    "one call": Said(calls=(Call("call_1", "get", '{"city":"Bonn"}'),)),
    "a call without arguments": Said(calls=(Call("call_1", "now", "{}"),)),
    "a call with escapes": Said(calls=(Call("call_1", "get", EMOJI),)),
    "parallel calls": Said(
        "I look.", calls=tuple(Call(f"call_{i}", "get", json.dumps({"i": i, "city": "Ürümqi"})) for i in range(3))
    ),
    "thinking": Said("So.", thinking="Let me think."),
    "thinking before calls": Said("So.", thinking="Hm.", calls=(Call("call_1", "get", '{"a":"b"}'),)),
    "signed thinking": Said("So.", thinking="Hm.", signature="EqQBCg=="),
    **{
        f"ended by {finish}": Said("Half an ans", finish=finish)
        for finish in ("length", "filtered", "stop_sequence", "context", "refused")
    },
}
CUTS: tuple[Callable[[str], list[str]], ...] = (whole_piece, list)
each_vendor = pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
each_caller = pytest.mark.parametrize("caller", CALLERS.values(), ids=CALLERS)


def expected(vendor: Vendor, caller: Caller, said: Said) -> Heard:
    asked, cached, made, reasoned = USAGE
    told = reasoned if "reasoned" in vendor.kept else 0
    thinking = "" if caller.plain else said.thinking
    calls = tuple((call.id, call.name, json.loads(call.arguments)) for call in said.calls)
    reasoning = None if caller is CALLERS["messages"] else told
    return Heard(said.text, thinking, calls, caller.finish[said.end], (asked, cached, made, reasoning))


@each_vendor
@each_caller
def test_every_caller_hears_what_every_vendor_says(vendor: Vendor, caller: Caller) -> None:
    for name, said in ANSWERS.items():
        if said.end not in vendor.finish or (said.signature and "signature" in vendor.lacks):
            # Not an answer that this vendor could give.
            continue
        if caller.plain and said.calls:
            # Nor one that this caller could ask for.
            continue
        for mode, cut in product(MODES, CUTS):
            heard = cross(vendor.codec(), caller, mode, vendor.whole(said), vendor.pieces(said, cut))
            assert heard == expected(vendor, caller, said), (name, mode, cut)


@each_vendor
@each_caller
@given(st.data())
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_cutting_of_any_stream_is_the_same_answer(vendor: Vendor, caller: Caller, data: st.DataObject) -> None:
    check_cutting(vendor, caller, data)


@pytest.mark.slow
@each_vendor
@each_caller
@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_cuttings_are_the_same_answer(vendor: Vendor, caller: Caller, data: st.DataObject) -> None:
    check_cutting(vendor, caller, data)


def check_cutting(vendor: Vendor, caller: Caller, data: st.DataObject) -> None:
    """Cut twice: the vendor's text into deltas, and the bytes of its stream into reads."""
    words = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
    arguments = st.dictionaries(words, words | st.integers() | st.lists(words, max_size=2), max_size=3)
    given_ones = data.draw(st.lists(arguments, max_size=0 if caller.plain else 3))
    calls = tuple(Call(f"call_{i}", "get", json.dumps(one)) for i, one in enumerate(given_ones))
    said = Said(data.draw(words.filter(str.strip) if not calls else words), data.draw(words), calls=calls)

    def cut(text: str) -> list[str]:
        return [text[a:b] for a, b in pairwise(_places(data, len(text)))]

    stream = b"".join(vendor.pieces(said, cut))
    pieces = [stream[a:b] for a, b in pairwise(_places(data, len(stream)))]
    for mode in (("stream", "stream"), ("stream", "whole")):
        assert cross(vendor.codec(), caller, mode, b"", pieces) == expected(vendor, caller, said)


def _places(data: st.DataObject, end: int) -> list[int]:
    return sorted(data.draw(st.sets(st.integers(0, end), max_size=6)) | {0, end})


@each_vendor
@each_caller
def test_one_byte_at_a_time_is_the_same_answer(vendor: Vendor, caller: Caller) -> None:
    said = ANSWERS["thinking" if caller.plain else "parallel calls"]
    stream = b"".join(vendor.pieces(said, whole_piece))
    pieces = [stream[i : i + 1] for i in range(len(stream))]
    assert cross(vendor.codec(), caller, ("stream", "stream"), b"", pieces) == expected(vendor, caller, said)


@each_vendor
@each_caller
def test_a_stream_cut_anywhere_before_its_end_is_never_a_success(vendor: Vendor, caller: Caller) -> None:
    said = ANSWERS["thinking" if caller.plain else "parallel calls"]
    pieces = vendor.pieces(said, list)
    complete = len(frames_needed(vendor, pieces))
    ask = caller.wire().read(json.dumps({**caller.question, "stream": True}).encode())
    for count in range(complete):
        found: list[Frame] = []
        with pytest.raises(MainstayError) as caught:
            read_frames(vendor.codec(), pieces[:count], found)
        sent = write_frames(caller, ask, found, caught.value)
        assert caller.error(sent) == caught.value.code


def frames_needed(vendor: Vendor, pieces: list[bytes]) -> list[bytes]:
    """Return the pieces without which the answer is not complete: nothing of it follows its end."""
    for count in range(len(pieces) + 1):
        try:
            read_frames(vendor.codec(), pieces[:count], [])
        except MainstayError:
            continue
        # All but what tells the usage, or only ends the stream once more.
        assert len(pieces) - count <= 2
        return pieces[:count]
    raise AssertionError("a complete stream is not complete")


@each_vendor
@each_caller
@pytest.mark.parametrize("name", ["text", "one call", "thinking"])
def test_a_vendors_error_within_a_stream_ends_it_as_the_caller_knows_errors(
    vendor: Vendor, caller: Caller, name: str
) -> None:
    pieces = vendor.pieces(ANSWERS[name], list)
    ask = caller.wire().read(json.dumps({**caller.question, "stream": True}).encode())
    for count in range(len(frames_needed(vendor, pieces))):
        found: list[Frame] = []
        with pytest.raises(MainstayError) as caught:
            read_frames(vendor.codec(), [*pieces[:count], vendor.broken], found)
        assert caught.value.status >= 500
        assert caught.value.retryable
        sent = write_frames(caller, ask, found, caught.value)
        assert caller.error(sent) == caught.value.code


@each_vendor
@each_caller
def test_an_error_before_an_answer_has_the_status_and_form_of_the_callers_wire(vendor: Vendor, caller: Caller) -> None:
    codec, wire = vendor.codec(), caller.wire()
    expected = {400: {400}, 401: {502}, 403: {502}, 429: {429}, 500: {502}, 503: {502, 503, 529}, 529: {503, 529}}
    for status, body in vendor.errors.items():
        error = codec.error(status, ((b"retry-after", b"7"),), body)
        told, sent = wire.error(error, record())
        assert told in expected[status], (status, told)
        said = json.loads(sent)
        assert said["error"]["message"]
        assert said["error"]["code"] == error.code
        if status == 429:
            assert error.retry_after == 7
        # What the vendor says of the operator's key or account is not the caller's to read.
        assert ("Told so." in sent.decode()) <= (status in (400, 429))
    assert wire.error(codec.error(400, (), vendor.overflow), record())[0] == 400
    assert codec.error(400, (), vendor.overflow).code == "context_length_exceeded"


def test_every_reason_for_an_end_is_said_by_some_vendor_and_known_to_every_caller() -> None:
    known = {str(reason) for reason in FinishReason} - {"paused", "other"}
    assert {finish for vendor in VENDORS.values() for finish in vendor.finish} == known
    assert all(set(caller.finish) == known for caller in CALLERS.values())
