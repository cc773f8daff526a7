"""Answers taken through citing: whole or streamed, cut anywhere, the same citations come out, in every dialect."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.events import (
    Cited,
    ClaimEnded,
    Dialect,
    Event,
    Finished,
    FinishReason,
    Frame,
    Grounded,
    Opaque,
    Started,
    TextDelta,
    ToolStarted,
)
from mainstay.core.fold import fold
from mainstay.core.record import Grounding
from mainstay.grounding.answering import Answering
from mainstay.grounding.attribution import Passages
from mainstay.grounding.checking import Checks
from mainstay.grounding.policies import Rule
from mainstay.grounding.streams import cited
from mainstay.providers.anthropic.stream_writer import AnthropicStreamWriter
from mainstay.providers.anthropic.written import write_whole as write_message
from mainstay.providers.openai.answers import write_whole
from mainstay.providers.openai.stream_writer import OpenAIStreamWriter
from support.citing import DIALECTS
from support.grounding import CATS, HOURS, PIN, REFUNDS, ScriptedLibrary

SAYINGS = [
    "Refunds take 14 days [1]. ", "The shop opens at nine [2][3].",
    " Cats are allowed [3], and dogs have to wait [9].",
    " Élise 🙂 likes it [1, 2].", "\n\n- On Sundays it stays closed. [2]\n",
    "`a[1]` is code. ", "Cats are allowed in the shop. ",
    "Nothing of this is known.", "```\nx[2]\n```\n", " Why [1]?", "\n", " [1]",
]  # fmt: skip


def answering(*, keep: bool = True, unsupported: Any = None, library: ScriptedLibrary | None = None) -> Answering:
    rule = Rule("handbook", keep=keep, unsupported=unsupported, text="Nothing.")
    passages = Passages((REFUNDS, HOURS, CATS))
    checks = Checks(rule, passages, library.check if library is not None else None)
    return Answering(rule, passages, checks, PIN, Grounding("handbook"))


def streamed(texts: Sequence[str], **options: Any) -> list[Event]:
    async def go() -> list[Event]:
        taking = answering(**options)
        out: list[Event] = []
        for event in (Started("id", "m"), *map(TextDelta, texts), Finished(FinishReason.STOP)):
            await taking.take(event, out)
        await taking.stop()
        return out

    return asyncio.run(go())


def whole(text: str, **options: Any) -> list[Event]:
    events = (Started("id", "m"), TextDelta(text), Finished(FinishReason.STOP))
    return asyncio.run(_whole(events, **options))


async def _whole(events: Sequence[Event], **options: Any) -> list[Event]:
    return await cited(answering(**options), events)


def chat_stream(events: Sequence[Event]) -> tuple[str, Any, Any]:
    """Return the text, the annotations and the extension of a streamed completion."""
    writer = OpenAIStreamWriter(False, model="m", id="1", created=1)
    data = b"".join(writer.frame(Frame((event,))) for event in events)
    deltas = [
        msgspec.json.decode(line[6:])["choices"][0]["delta"]
        for line in data.split(b"\n\n")
        if line.startswith(b"data: {")
    ]
    text = "".join(delta.get("content") or "" for delta in deltas)
    (last,) = [delta for delta in deltas if "mainstay" in delta]
    return text, last.get("annotations", []), last["mainstay"]


def message_stream(events: Sequence[Event]) -> tuple[list[Any], Any]:
    """Return the blocks and the extension of a streamed message."""
    writer = AnthropicStreamWriter(model="m", id="1", request_id="r")
    data = b"".join(writer.frame(Frame((event,))) for event in events) + writer.end()
    blocks: list[Any] = []
    extension = None
    for part in data.split(b"\n\n"):
        if not part:
            continue
        event = msgspec.json.decode(part.split(b"data: ", 1)[1])
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            if delta["type"] == "text_delta":
                blocks[-1]["text"] += delta["text"]
            else:
                blocks[-1].setdefault("citations", []).append(delta["citation"])
        elif event["type"] == "message_delta":
            extension = event.get("mainstay")
    return blocks, extension


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(SAYINGS), min_size=1, max_size=6).map("".join), st.booleans(), st.data())
def test_every_dialect_says_the_same_streamed_and_whole_however_the_text_is_cut(
    text: str, keep: bool, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    texts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    stream, complete = streamed(texts, keep=keep), whole(text, keep=keep)
    assert [one for one in stream if isinstance(one, Cited | Grounded)] == [
        one for one in complete if isinstance(one, Cited | Grounded)
    ]
    body = msgspec.json.decode(write_whole(fold(complete), model="m", id="1", created=1))
    message = body["choices"][0]["message"]
    said, annotations, extension = chat_stream(stream)
    assert (said, annotations, extension) == (message["content"], message["annotations"], message["mainstay"])
    for one in annotations:
        span, own = one["url_citation"], one["mainstay"]
        assert (span["start_index"], span["end_index"]) == (own["claim"]["start"], own["claim"]["end"])
        assert 0 <= span["start_index"] < span["end_index"] <= len(said)
    blocks = msgspec.json.decode(write_message(fold(complete), model="m", id="1"))
    written, told = message_stream(stream)
    assert written == blocks["content"]
    assert told == blocks["mainstay"]
    assert all(block["text"].strip() for block in written) or not said.strip()
    assert "".join(block["text"] for block in written) == said


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(SAYINGS), min_size=1, max_size=6).map("".join), st.data())
def test_what_is_taken_out_is_the_same_however_the_text_is_cut(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=10)))
    texts = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    library = ScriptedLibrary()
    library.wrong = {"Cats": "not_found", "known": "contradicted"}
    stream = streamed(texts, unsupported="strip", library=library)
    complete = whole(text, unsupported="strip", library=library)
    assert chat_stream(stream)[:2] == chat_stream(complete)[:2]
    said = chat_stream(stream)[0]
    for one in stream:
        if isinstance(one, Cited):
            claim = one.citation.claim
            assert said[claim.start : claim.end] == claim.text
            assert "Cats are allowed" not in claim.text


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(SAYINGS), min_size=1, max_size=6).map("".join), st.booleans())
def test_a_claim_s_words_stand_at_its_place_and_a_quote_s_in_its_source(text: str, keep: bool) -> None:
    events = whole(text, keep=keep)
    said = "".join(one.text for one in events if isinstance(one, TextDelta))
    for one in events:
        if isinstance(one, Cited):
            citation = one.citation
            assert said[citation.claim.start : citation.claim.end] == citation.claim.text
            low = citation.source.start
            assert citation.source.text[citation.start - low : citation.end - low] == citation.quote


def test_choices_are_cited_each_for_itself() -> None:
    events = (
        Started("id", "m"),
        TextDelta("Refunds take 14 days [1]", 0),
        TextDelta("Cats are allowed here [", 1),
        TextDelta(".", 0),
        TextDelta("3].", 1),
        Finished(FinishReason.STOP, 0),
        Finished(FinishReason.STOP, 1),
    )
    told = [one for one in asyncio.run(_whole(events)) if isinstance(one, Cited)]
    assert [(one.choice, one.citation.source.passage) for one in told] == [(0, "refunds"), (1, "cats")]


def test_a_provider_s_own_citations_stay_as_they_are_and_keep_their_place() -> None:
    own = Opaque(msgspec.Raw(b'{"type":"web_search_result_location","encrypted_index":"x"}'), Dialect.ANTHROPIC)
    events = (TextDelta("They say so ["), own, ToolStarted("t", "look"), TextDelta("1]."), Finished(FinishReason.STOP))
    out = asyncio.run(_whole(events))
    assert [one for one in out if isinstance(one, Opaque)] == [own]
    before, after = out[: out.index(own)], out[out.index(own) :]
    assert "".join(one.text for one in before if isinstance(one, TextDelta)) == "They say so ["
    assert "".join(one.text for one in after if isinstance(one, TextDelta)) == "1]."


def test_what_came_as_it_is_keeps_the_probabilities_of_its_tokens() -> None:
    event = TextDelta("Well", logprobs=msgspec.Raw(b"{}"))
    out = asyncio.run(_whole((event, Finished(FinishReason.STOP))))
    assert out[0] is event


def test_claims_end_once_for_a_sentence() -> None:
    events = whole("Refunds take 14 days [1], and cats are allowed in it [3]. More is known of it.")
    kinds = [type(one).__name__ for one in events if isinstance(one, Cited | ClaimEnded)]
    assert kinds == ["Cited", "Cited", "ClaimEnded", "ClaimEnded"]


BOOKED = "Refunds are booked to the charged card in 14 days."


@pytest.mark.parametrize("unsupported", ["mark", "strip"])
def test_a_claim_that_nobody_marked_is_cited_once_the_check_bears_it_out(unsupported: str) -> None:
    library = ScriptedLibrary()
    library.wrong = {"gold": "not_found"}
    text = f"{BOOKED} Refunds are booked to the charged card in 14 gold coins. Well."
    stream = streamed([text[:20], text[20:70], text[70:]], unsupported=unsupported, library=library)
    complete = whole(text, unsupported=unsupported, library=library)
    (told,) = [one for one in stream if isinstance(one, Grounded)]
    (one,) = told.citations
    assert (one.claim.text, one.quote, one.how, one.verdict) == (
        BOOKED,
        "Refunds take 14 days. They are paid to the card that was charged.",
        "attributed",
        "supported",
    )
    # Where words do not wait for their check, it is known when they have left.
    assert [one.late for one in stream if isinstance(one, Cited)] == [unsupported == "mark"]
    for whole_of, stream_of in DIALECTS.values():
        assert stream_of(stream) == whole_of(complete)
    blocks = DIALECTS["messages"][0](complete)
    assert bool(blocks.citations) == (unsupported == "strip")
    assert len(blocks.summary["grounding"]["citations"]) == 1
