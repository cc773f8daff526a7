"""Places of claims in a text that rails have changed."""

import asyncio
from collections.abc import Sequence

from mainstay.core.answer import Answer, SingleFrame, Whole
from mainstay.core.events import Cited, ClaimEnded, Dialect, Event, Finished, FinishReason, Frame, Grounded, TextDelta
from mainstay.core.sources import Citation, Claim
from mainstay.guardrails.aligning import Aligned, aligned, as_stream
from support.grounding import PIN, REFUNDS, TARGET


def citation(start: int, end: int, text: str) -> Citation:
    return Citation(Claim(start, end, text), REFUNDS, 100, 121, "Refunds take 14 days.")


def through(events: Sequence[Event]) -> list[Event]:
    async def go() -> list[Event]:
        frames = Aligned(SingleFrame(Frame(tuple(events))))
        return [event async for batch in frames for frame in batch for event in frame.events]

    return asyncio.run(go())


def test_claims_move_with_the_words_before_them() -> None:
    ann, so = citation(0, 14, "Call Ann Smith."), citation(15, 25, "It is so.")
    events = [
        TextDelta("Call [NAME]. "),
        Cited(ann),
        ClaimEnded(),
        TextDelta("It is so."),
        Cited(so),
        ClaimEnded(),
        Grounded(PIN, (ann, so)),
        Finished(FinishReason.STOP),
    ]
    out = through(events)
    text = "".join(event.text for event in out if isinstance(event, TextDelta))
    claims = [event.citation.claim for event in out if isinstance(event, Cited)]
    assert [text[one.start : one.end] for one in claims] == ["Call [NAME].", "It is so."]
    assert [one.text for one in claims] == ["Call [NAME].", "It is so."]
    (told,) = [event for event in out if isinstance(event, Grounded)]
    assert [one.claim for one in told.citations] == claims


def test_text_that_left_at_once_is_cut_at_its_claims_again() -> None:
    ann, so = citation(0, 14, "Call Ann Smith."), citation(25, 34, "It is so.")
    events = [
        TextDelta("Call [NAME]. Nobody knows. It is so. "),
        Cited(ann),
        ClaimEnded(),
        ClaimEnded(),
        Cited(so),
        ClaimEnded(),
        Finished(FinishReason.STOP),
    ]
    shape = [event.text if isinstance(event, TextDelta) else type(event).__name__ for event in through(events)]
    assert shape == [
        "Call [NAME].", "Cited", "ClaimEnded", " Nobody knows. ", "ClaimEnded", "It is so.", "Cited", "ClaimEnded", " ",
        "Finished",
    ]  # fmt: skip


def test_nothing_moves_where_nothing_changed() -> None:
    one = citation(0, 9, "It is so.")
    events = [TextDelta("It is so."), Cited(one), ClaimEnded(), Grounded(PIN, (one,))]
    assert through(events) == events


def test_a_whole_answer_stays_whole() -> None:
    one = citation(0, 3, "Ann")
    events = (TextDelta("[NAME]"), Cited(one), ClaimEnded(), Grounded(PIN, (one,)), Finished(FinishReason.STOP))
    whole = Whole(b"{}", Dialect.OPENAI, "id", "m", (FinishReason.STOP,), None, lambda _: events)
    given = Answer(TARGET, whole=whole)
    answer = asyncio.run(aligned(as_stream(given), given))
    assert answer.frames is None
    assert answer.whole is not None
    assert answer.whole.wire == b""
    (cited,) = [event for event in answer.whole.events if isinstance(event, Cited)]
    assert (cited.citation.claim.start, cited.citation.claim.end) == (0, 6)
