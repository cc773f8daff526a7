"""A kept answer is the answer: through bytes and back, and as a stream the same as whole."""

import asyncio
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.caching.replay import answer_of, is_whole_answer, only_of, pack, said, unpack
from mainstay.core.call import Call
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    FinishReason,
    Grounded,
    Metered,
    Opaque,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
)
from mainstay.core.fold import fold
from mainstay.core.record import Grounding
from mainstay.core.sources import Citation, Claim, Pin, Source
from mainstay.core.usage import Usage
from support.answers import make_entry, plain
from support.routing import call_of_bytes

PIN = Pin("kb", "main", 3)
SOURCE = Source(PIN, "doc", 1, "p1", 0, 4, 0, 4, "text", "aa")


def call(*, stream: bool = False) -> Call:
    body = {"model": "r", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}
    return call_of_bytes(json.dumps(body).encode())


def replayed(events: tuple[Event, ...], age: float = 0.0) -> list[Event]:
    async def read() -> list[Event]:
        answer = answer_of(make_entry(events=events), call(stream=True), age)
        assert answer.frames is not None
        return [event async for batch in answer.frames for frame in batch for event in frame.events]

    return asyncio.run(read())


_texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=1500)
_middles = st.lists(
    st.one_of(
        st.builds(TextDelta, _texts),
        st.builds(ThinkingDelta, _texts),
        st.builds(ThinkingSealed, _texts),
        st.builds(lambda text: Opaque(msgspec.Raw(msgspec.json.encode({"note": text})), Dialect.OPENAI), _texts),
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(_middles, st.integers(0, 10**6))
def test_an_answer_survives_being_bytes_and_being_streamed(middle: list[Event], tokens: int) -> None:
    usage = Usage(input=tokens, output=3)
    events = fold([Started("id", "m"), *middle, Finished(FinishReason.STOP), Metered(usage)]).events
    entry = make_entry(events=events, usage=usage)
    assert unpack(pack(entry)) == entry
    assert fold(replayed(events)).events == events
    whole = answer_of(entry, call(), 0.0).whole
    assert whole is not None
    assert (whole.events, whole.usage, whole.wire) == (events, usage, b"")


def test_long_texts_are_replayed_in_pieces() -> None:
    found = replayed(plain("word " * 1000))
    pieces = [event.text for event in found if isinstance(event, TextDelta)]
    assert len(pieces) > 5
    assert max(map(len, pieces)) <= 512
    assert isinstance(found[-1], Metered)


def test_what_was_kept_by_another_release_is_not_read() -> None:
    data = pack(make_entry()).replace(b'"TextDelta"', b'"Sung"')
    with pytest.raises(ValueError, match="Sung"):
        unpack(data)
    with pytest.raises(msgspec.MsgspecError):
        unpack(b"{}")


def test_citations_come_back_and_sources_are_as_old_as_they_are_now() -> None:
    citation = Citation(Claim(0, 6, "Paris."), SOURCE, 0, 4, "text")
    events = (*plain()[:2], Grounded(PIN, (citation,), sources=1, oldest_ms=5000), *plain()[2:])
    grounding = Grounding("kb", oldest_ms=5000, ms=12.5)
    entry = make_entry(events=events, grounding=grounding, base="kb", rests=("p1",))
    assert unpack(pack(entry)) == entry
    asked = call()
    answer = answer_of(entry, asked, 60.0)
    assert answer.whole is not None
    told = next(event for event in answer.whole.events if isinstance(event, Grounded))
    assert (told.citations, told.oldest_ms) == ((citation,), 65_000)
    assert asked.record.grounding is not None
    assert asked.record.grounding.oldest_ms == 65_000


def test_one_choice_that_ended_by_itself_is_a_whole_answer() -> None:
    assert is_whole_answer(plain())
    assert is_whole_answer(plain(reason=FinishReason.STOP_SEQUENCE))
    assert not is_whole_answer(plain()[:2])
    assert not is_whole_answer((*plain(), Finished(FinishReason.STOP, 1)))
    assert not is_whole_answer((*plain()[:2], TextDelta("x", 1), *plain()[2:]))


@pytest.mark.parametrize(
    ("payload", "only"),
    [
        ({"message": {"annotations": []}}, ""),
        ({"answer": {"service_tier": "default"}}, ""),
        ({"message": {"audio": None}}, ""),
        ({"message": {"annotations": [{"type": "url_citation"}]}}, "openai"),
    ],
)
def test_what_says_nothing_binds_an_answer_to_no_dialect(payload: dict[str, object], only: str) -> None:
    opaque = Opaque(msgspec.Raw(msgspec.json.encode(payload)), Dialect.OPENAI)
    assert only_of((*plain(), opaque)) == only


def test_only_visible_text_is_said() -> None:
    assert said((ThinkingDelta("hm"), TextDelta("a"), TextDelta("b"))) == "ab"
