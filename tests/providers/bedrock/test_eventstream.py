"""AWS's binary framing: whole, cut anywhere, damaged, too long; AWS's own parser reads the same."""

import struct
from binascii import crc32
from itertools import pairwise

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import UpstreamBroken
from mainstay.core.sse import SseEvent
from mainstay.providers.bedrock.eventstream import EventStreamDecoder
from mainstay.providers.port import Decoder
from support import converse as wire

names = st.sampled_from(["messageStart", "contentBlockDelta", "metadata", "new"])
payloads = st.binary(max_size=200)
messages = st.lists(st.tuples(names, payloads), max_size=6)


def event(name: str, payload: bytes) -> bytes:
    return wire.frame({":message-type": "event", ":event-type": name, ":content-type": "application/json"}, payload)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(place % (len(data) + 1) for place in places)})
    return [data[a:b] for a, b in pairwise(edges)]


def decode(pieces: list[bytes]) -> list[SseEvent]:
    decoder = EventStreamDecoder()
    found = [one for piece in pieces for one in decoder.feed(piece)]
    return found + decoder.close()


def test_it_is_a_decoder() -> None:
    decoder: Decoder = EventStreamDecoder()
    assert decoder.close() == []


@given(messages, st.lists(st.integers(0, 5000), max_size=30))
def test_any_cutting_gives_the_same_events_that_aws_reads(said: list[tuple[str, bytes]], places: list[int]) -> None:
    data = b"".join(event(*one) for one in said)
    found = decode(cut(data, places))
    assert found == [SseEvent(payload, name.encode()) for name, payload in said]
    theirs = EventStreamBuffer()
    theirs.add_data(data)
    assert [(one.headers[":event-type"], one.payload) for one in theirs] == said


def test_one_byte_a_read_gives_the_same_events() -> None:
    data = event("messageStart", b"{}") + event("metadata", b"[1]" * 50)
    assert decode([bytes([byte]) for byte in data]) == decode([data])


@given(messages.filter(bool), st.data())
def test_a_flipped_bit_is_never_an_event(said: list[tuple[str, bytes]], data: st.DataObject) -> None:
    sound = b"".join(event(*one) for one in said)
    place = data.draw(st.integers(0, len(sound) * 8 - 1))
    spoilt = bytearray(sound)
    spoilt[place // 8] ^= 1 << place % 8
    decoder = EventStreamDecoder()
    found: list[SseEvent] = []
    with pytest.raises(UpstreamBroken):
        found += decoder.feed(bytes(spoilt))
        found += decoder.close()
    kept = [SseEvent(payload, name.encode()) for name, payload in said]
    assert found == kept[: len(found)]
    with pytest.raises(UpstreamBroken):
        decoder.feed(b"")


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5))
def test_no_bytes_at_all_crash_it(data: bytes, places: list[int]) -> None:
    try:
        decode(cut(data, places))
    except UpstreamBroken:
        return


@given(st.binary(max_size=60))
def test_no_headers_at_all_crash_it(headers: bytes) -> None:
    prelude = struct.pack(">II", 16 + len(headers), len(headers))
    prelude += struct.pack(">I", crc32(prelude))
    data = prelude + headers
    try:
        decode([data + struct.pack(">I", crc32(data))])
    except UpstreamBroken:
        return


def test_headers_of_every_type_are_read_past() -> None:
    odd = b"".join(
        bytes([1]) + b"x" + bytes([kind]) + value
        for kind, value in [
            (0, b""), (1, b""), (2, b"1"), (3, b"12"), (4, b"1234"), (5, b"12345678"),
            (6, b"\x00\x02ab"), (7, b"\x00\x01a"), (8, b"12345678"), (9, b"1234567812345678"),
        ]
    )  # fmt: skip
    named = b"\x0d:message-type\x07\x00\x05event\x0b:event-type\x07\x00\x04name"
    headers = odd + named
    prelude = struct.pack(">II", 18 + len(headers), len(headers))
    prelude += struct.pack(">I", crc32(prelude))
    data = prelude + headers + b"{}"
    assert decode([data + struct.pack(">I", crc32(data))]) == [SseEvent(b"{}", b"name")]


def test_exceptions_and_errors_are_told_from_events() -> None:
    data = wire.exception("throttlingException", "Slow down.") + wire.frame(
        {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "Broken."}, b""
    )
    assert decode([data]) == [
        SseEvent(b'{"message": "Slow down."}', b"exception:throttlingException"),
        SseEvent(b'{"message":"Broken."}', b"exception:InternalFailure"),
    ]


def test_a_message_of_a_new_type_only_shows_life() -> None:
    decoder = EventStreamDecoder()
    assert decoder.feed(wire.frame({":message-type": "heartbeat"}, b"")) == []
    assert decoder.alive == 1


def test_a_cut_message_is_dropped_at_the_end() -> None:
    sound = event("messageStart", b"{}")
    assert decode([sound + event("metadata", b"{}")[:-1]]) == [SseEvent(b"{}", b"messageStart")]


def test_a_message_over_the_limit_is_refused_from_its_head_alone() -> None:
    data = event("contentBlockDelta", b"x" * 5000)
    assert EventStreamDecoder(len(data)).feed(data)
    with pytest.raises(UpstreamBroken, match="5000"):
        EventStreamDecoder(5000).feed(data[:16])


def test_a_length_below_its_parts_is_refused() -> None:
    prelude = struct.pack(">II", 20, 10)
    with pytest.raises(UpstreamBroken):
        EventStreamDecoder().feed(prelude + struct.pack(">I", crc32(prelude)) + b"\0" * 8)
