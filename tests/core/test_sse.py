"""Server-sent events come out whole however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import UpstreamBroken
from mainstay.core.sse import SseDecoder, SseEvent


def decode(*pieces: bytes) -> list[SseEvent]:
    decoder = SseDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()


def data_of(*pieces: bytes) -> list[bytes]:
    return [event.data for event in decode(*pieces)]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a \n\n", [b" a "]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\ndata: b\n\n", [b"\nb"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"id: 1\nretry: 5\nfoo: x\nevent: e\ndata: a\n\n", [b"a"]),
        ("data: a\u2028b\u2029c\x85d\n\n".encode(), ["a\u2028b\u2029c\x85d".encode()]),
        (b"data: [DONE]\n\n", [b"[DONE]"]),
        (b"\n\n\ndata: a\n\n\n\n", [b"a"]),
        (b"datax: no\n\ndata: a\n\n", [b"a"]),
    ],
)
def test_framing_follows_the_specification(stream: bytes, data: list[bytes]) -> None:
    assert data_of(stream) == data


def test_an_event_keeps_its_name_and_the_next_has_none() -> None:
    assert decode(b"event: ping\ndata: a\n\ndata: b\n\n") == [SseEvent(b"a", b"ping"), SseEvent(b"b")]


def test_comments_and_empty_events_show_life_and_nothing_else() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b": hello\n\n") == []
    assert decoder.alive == 1
    assert decoder.feed(b"event: ping\n\n") == []
    assert decoder.alive == 2
    assert decoder.feed(b"data:\n\n") == []
    assert decoder.alive == 3
    assert decoder.feed(b"retry: 100\n\n") == []
    assert decoder.alive == 4
    assert decoder.feed(b"data: a\n\n") == [SseEvent(b"a")]
    assert decoder.alive == 4


def test_a_name_without_data_does_not_stick_to_the_next_event() -> None:
    assert decode(b"event: ping\n\ndata: 1\n\n") == [SseEvent(b"1")]


@pytest.mark.parametrize("tail", [b'data: {"a":1}', b'data: {"a":1}\n', b'data: {"a":1}\r', b"data: [DONE]"])
def test_the_last_event_counts_without_its_blank_line_when_it_is_whole(tail: bytes) -> None:
    assert len(data_of(b"data: 1\n\n" + tail)) == 2


@pytest.mark.parametrize("tail", [b'data: {"a":', b"data: [DON", b"dat", b"data: {}\ndata: {"])
def test_a_cut_last_event_is_dropped(tail: bytes) -> None:
    assert data_of(b"data: 1\n\n" + tail) == [b"1"]


@pytest.mark.parametrize("whole", ['{"a":"café"}', '{"a":{"b":["🙂","\\ud83d"]}}', '{"é":"\\\\","z":"}"}'])
def test_a_last_event_cut_anywhere_is_dropped_and_only_the_whole_one_counts(whole: str) -> None:
    wire = b"data: " + whole.encode()
    for end in range(len(wire)):
        assert data_of(b"data: 1\n\n" + wire[:end]) == [b"1"], wire[:end]
    assert data_of(b"data: 1\n\n" + wire) == [b"1", whole.encode()]


@pytest.mark.parametrize("ending", [b"", b"\n", b"\n\n"])
@pytest.mark.parametrize("half", [b"caf\xc3", b"\\ud83d", b"\xed\xa0\xbd", b"\\ud83d\\n", b"\t"])
def test_half_a_character_inside_a_whole_last_event_is_the_readers_to_judge(half: bytes, ending: bytes) -> None:
    event = b'{"a":"' + half + b'","b":1}'
    assert data_of(b"data: " + event + ending) == [event]


def test_a_cut_last_event_full_of_quotes_costs_one_look() -> None:
    assert data_of(b'data: {"a":"' + b'\\"' * 1_000_000) == []


def test_half_a_character_after_a_whole_last_event_makes_it_no_json() -> None:
    assert data_of(b'data: {"a":1}\xc3') == []
    assert data_of(b'data: {"a":1}\n\xc3') == [b'{"a":1}']


def test_a_byte_order_mark_may_be_split_over_reads() -> None:
    assert data_of(b"\xef", b"\xbb", b"\xbf", b"data: 1\n\n") == [b"1"]


def test_bytes_that_only_begin_like_a_byte_order_mark_are_kept() -> None:
    assert data_of(b"\xef\xbb", b"x: y\ndata: 1\n\n") == [b"1"]
    assert data_of(b"", b"d", b"ata: 1\n\n") == [b"1"]


def test_an_event_of_many_megabytes_passes() -> None:
    payload = b'"' + b"x" * 5_000_000 + b'"'
    stream = b"data: " + payload + b"\n\n"
    pieces = [stream[i : i + 65536] for i in range(0, len(stream), 65536)]
    assert data_of(*pieces) == [payload]


@pytest.mark.parametrize("flood", [b"x" * 100, b"data: " + b"x" * 100, b"data: " + b"x" * 40 + b"\n", b"data:\n" * 50])
def test_an_event_over_the_limit_is_refused_with_bounded_memory(flood: bytes) -> None:
    decoder = SseDecoder(limit=99)

    def pour() -> None:
        for _ in range(4):
            decoder.feed(flood)

    with pytest.raises(UpstreamBroken):
        pour()


def test_the_limit_is_per_event_not_per_stream() -> None:
    decoder = SseDecoder(limit=20)
    for _ in range(50):
        assert decoder.feed(b"data: 123456789\n\n") == [SseEvent(b"123456789")]


LINES = st.lists(
    st.sampled_from(
        [
            b"data: a",
            b"data:b",
            b"data: \xf0\x9f\x98\x80",
            b'data: {"x":"\\ud83d\\ude00"}',
            b"data",
            b"data:",
            b": c",
            b"event: e",
            b"event",
            b"id: 1",
            b"retry: 2",
            b"",
            b"",
            b"",
            b"data: [DONE]",
            b"\xef\xbb\xbf",
        ]
    )
)


@given(
    lines=LINES,
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
    cuts=st.lists(st.integers(0, 400)),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_any_cutting_of_the_bytes_gives_the_same_events(
    lines: list[bytes], end: bytes, cuts: list[int], mark: bytes
) -> None:
    stream = mark + b"".join(line + end for line in lines)
    places = sorted({min(cut, len(stream)) for cut in cuts})
    pieces = [stream[a:b] for a, b in zip([0, *places], [*places, len(stream)], strict=True)]
    whole = decode(stream)
    assert decode(*pieces) == whole
    assert decode(*[stream[i : i + 1] for i in range(len(stream))]) == whole
    assert decode(stream.replace(end, b"\n")) == whole
