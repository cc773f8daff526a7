"""The rails of outputs: the same verdict whole or streamed, in every choice, and nothing of what was found leaves."""

import asyncio
import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.answer import Answer, Whole
from mainstay.core.errors import ContentBlocked, UpstreamInterrupted
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    FinishReason,
    Frame,
    Metered,
    Opaque,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.fold import fold
from mainstay.core.record import RailVerdict
from mainstay.core.target import Target
from mainstay.core.usage import Usage
from mainstay.guardrails.outgoing import screen
from mainstay.guardrails.port import Finding
from mainstay.guardrails.rails import Action, Rail, Trace
from mainstay.guardrails.secrets.scanner import KeyBlocks, SecretScanner

TARGET = Target("small", "local", "openai", "upstream")
OUT = frozenset({"output"})


class Pattern:
    """A scanner of one pattern whose verdicts reach no further than a line."""

    def __init__(self, pattern: str, kind: str, reach: int = 40) -> None:
        self._pattern = re.compile(pattern)
        self.kinds = frozenset({kind})
        self._kind = kind
        self.reach = reach

    def scan(self, text: str) -> Sequence[Finding]:
        return [Finding(match.start(), match.end(), self._kind) for match in self._pattern.finditer(text)]


EMAIL = Pattern(r"(?<![\w.])[\w.]{1,12}@[a-z]{1,9}\.[a-z]{2,3}(?!\w)", "email")
CARD = Pattern(r"(?<!\d)\d{4}(?:[ -]?\d{4}){3}(?!\d)", "card")
SECRETS, KEYS = SecretScanner(), KeyBlocks()
MAPPING = {"PERSON_k7q2m9xd": 'Jane "J" Roe', "EMAIL_00000000": "jane@own.example"}


def rail(scanner: Any, do: Action = "mask", **more: Any) -> Rail:
    name = more.pop("name", min(scanner.kinds))
    return Rail(name, "words", OUT, do, scanner=scanner, **more)


MASKS = (rail(EMAIL), rail(CARD), rail(SECRETS), rail(KEYS))


class Listed:
    """Frames of a script; an error in it is raised."""

    def __init__(self, batches: Sequence[Sequence[Frame] | Exception]) -> None:
        self._batches = list(batches)
        self.closed = 0

    def __aiter__(self) -> "Listed":
        return self

    async def __anext__(self) -> Sequence[Frame]:
        if self.closed or not self._batches:
            raise StopAsyncIteration
        batch = self._batches.pop(0)
        if isinstance(batch, Exception):
            raise batch
        return batch

    async def aclose(self) -> None:
        self.closed += 1


def stream(events: Sequence[Event]) -> Listed:
    return Listed([[Frame((event,), b"{}")] for event in events])


def whole_of(events: Sequence[Event]) -> Whole:
    folded = fold(events)
    return Whole(b"wire", Dialect.OPENAI, "id", "m", folded.finish, folded.usage, None, folded.events)


async def streamed(
    frames: Listed, rails: Sequence[Rail], mapping: dict[str, str] | None = None, **more: bool
) -> tuple[list[Event], list[RailVerdict], Exception | None]:
    verdicts: list[RailVerdict] = []
    mapping, more = {} if mapping is None else mapping, {"schema": False} | more
    answer = await screen(Answer(TARGET, frames=frames), rails, Trace(verdicts), mapping, **more)
    found: list[Event] = []
    assert answer.frames is not None
    try:
        async for batch in answer.frames:
            for frame in batch:
                found += frame.events
    except (ContentBlocked, UpstreamInterrupted) as error:
        return found, verdicts, error
    finally:
        await answer.frames.aclose()
    return found, verdicts, None


async def entire(
    whole: Whole, rails: Sequence[Rail], mapping: dict[str, str] | None = None, *, schema: bool = False
) -> tuple[Whole, list[RailVerdict]]:
    verdicts: list[RailVerdict] = []
    answer = await screen(Answer(TARGET, whole=whole), rails, Trace(verdicts), mapping or {}, schema=schema)
    assert answer.whole is not None
    return answer.whole, verdicts


def seen(verdicts: Sequence[RailVerdict]) -> list[tuple[Any, ...]]:
    return [
        (one.rail, one.outcome, one.kinds, one.score, sorted((span.place, span.start, span.end) for span in one.spans))
        for one in verdicts
    ]


KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "MIIEpAIBAAKCAQEAx7Vd3m0y2hT1kq9bU5sJc8wZr4nE6pXo\n" * 2
    + "-----END PRIVATE KEY-----"
)
PLANTED = ["anna.k@mail.com", "4111 1111 1111 1111", "4111111111111111", "AKIAIOSFODNN7EXAMPLQ", KEY]
FILLER = st.one_of(
    st.sampled_from([" ", ", ", "so it goes ", "PERSON_k7q2m9xd", "person_k7q2m9xd", "EMAIL_00000000", "\n", "4111 "]),
    st.text(alphabet='ab1 ."\\é@-', max_size=5),
)
SAYINGS = st.lists(st.one_of(FILLER, FILLER, st.sampled_from(PLANTED).map(lambda one: f" {one} ")), max_size=9).map(
    "".join
)


@st.composite
def answers(draw: st.DrawFn) -> list[Event]:
    """An answer in one event for each text: several choices, each with reasoning, words and calls of tools."""
    events: list[Event] = [Started("id", "m")]
    for choice in range(draw(st.integers(1, 2))):
        if thought := draw(SAYINGS):
            events.append(ThinkingDelta(thought, choice))
            if draw(st.booleans()):
                events.append(ThinkingSealed("seal", choice=choice))
        if words := draw(SAYINGS):
            events.append(TextDelta(words, choice))
        if declined := draw(st.one_of(st.just(""), SAYINGS)):
            events.append(RefusalDelta(declined, choice))
        calls = draw(st.lists(st.dictionaries(st.sampled_from("abc"), st.one_of(SAYINGS, st.integers())), max_size=2))
        for index, arguments in enumerate(calls):
            events.append(ToolStarted(f"c{index}", "look", index, choice))
            events.append(ToolDelta(json.dumps(arguments, ensure_ascii=draw(st.booleans())), index, choice))
        events.append(Finished(FinishReason.STOP, choice))
    events.append(Metered(Usage(3, 4)))
    return events


def cut(events: Sequence[Event], draw: Any) -> list[Event]:
    """Cut the texts of ``events`` anywhere and mix the choices, and the calls of one choice."""
    lanes: dict[tuple[int, int], list[Event]] = {}
    for event in events[1:-1]:
        choice = event.choice  # type: ignore[attr-defined]  # all but the first and the last have one
        index = event.index if isinstance(event, ToolDelta | ToolStarted) else -1
        lane = lanes.setdefault((choice, index), [])
        if isinstance(event, ToolDelta):
            lane += [ToolDelta(part, event.index, choice) for part in parts(event.arguments, draw)]
        elif isinstance(event, TextDelta | ThinkingDelta | RefusalDelta):
            lane += [type(event)(part, choice) for part in parts(event.text, draw)]
        elif not isinstance(event, Finished):
            lane.append(event)
    mixed: list[Event] = [events[0]]
    for choice in sorted({choice for choice, _ in lanes}):
        # What is said before the calls comes before them.
        mixed += lanes.pop((choice, -1), []) if draw(st.booleans()) else []
    said = [key for key in lanes if key[1] == -1]
    while said:
        key = draw(st.sampled_from(said))
        mixed.append(lanes[key].pop(0)) if lanes[key] else said.remove(key)
    calls = [key for key in lanes if key[1] >= 0]
    while calls:
        key = draw(st.sampled_from(calls))
        mixed.append(lanes[key].pop(0)) if lanes[key] else calls.remove(key)
    return [*mixed, *(event for event in events if isinstance(event, Finished)), events[-1]]


def parts(text: str, draw: Any) -> list[str]:
    found, at = [], 0
    sizes = draw(st.one_of(st.just([1]), st.lists(st.integers(1, 50), min_size=1, max_size=8)))
    turn = 0
    while at < len(text):
        found.append(text[at : at + sizes[turn % len(sizes)]])
        at += sizes[turn % len(sizes)]
        turn += 1
    return found


@settings(max_examples=40, deadline=None)
@given(answers(), st.booleans(), st.data())
def test_a_stream_ends_as_its_whole_does_however_it_is_cut(
    events: list[Event], mapped: bool, data: st.DataObject
) -> None:
    mapping = MAPPING if mapped else {}
    pieces = cut(events, data.draw)
    came, noted, error = asyncio.run(streamed(stream(pieces), MASKS, mapping))
    whole, verdicts = asyncio.run(entire(whole_of(pieces), MASKS, mapping))
    assert error is None
    assert fold(came).events == fold(whole.events).events
    assert seen(noted) == seen(verdicts)
    said = "".join(text_of(event) for event in came)
    assert not any(planted in said for planted in PLANTED)
    for event in fold(came).events:
        if isinstance(event, ToolDelta):
            json.loads(event.arguments)


def text_of(event: Event) -> str:
    if isinstance(event, ToolDelta):
        return event.arguments
    return event.text if isinstance(event, TextDelta | ThinkingDelta | RefusalDelta) else ""


@settings(max_examples=30, deadline=None)
@given(SAYINGS, SAYINGS, st.sampled_from(PLANTED), st.data())
def test_of_what_ends_a_stream_no_character_leaves(before: str, after: str, planted: str, data: st.DataObject) -> None:
    rails = tuple(rail(one, "block") for one in (EMAIL, CARD, SECRETS, KEYS))
    text = f"{before} {planted} {after}"
    found = [one for each in (EMAIL, CARD, SECRETS, KEYS) for one in each.scan(text)]
    frames = stream([TextDelta(part) for part in parts(text, data.draw)])
    came, noted, error = asyncio.run(streamed(frames, rails))
    said = "".join(text_of(event) for event in came)
    assert isinstance(error, ContentBlocked)
    assert frames.closed
    assert text.startswith(said)
    assert len(said) <= min(one.start for one in found)
    with pytest.raises(ContentBlocked) as caught:
        asyncio.run(entire(whole_of([TextDelta(text)]), rails))
    assert caught.value.extra == error.extra
    assert [one.outcome for one in noted].count("blocked") == 1


@pytest.mark.parametrize("at", range(1, 70))
def test_values_are_given_back_wherever_the_stream_is_cut(at: int) -> None:
    text = "To PERSON_k7q2m9xd (Person-K7Q2M9XD's) at EMAIL_00000000; PERSON_k7q2m9x"
    events = [TextDelta(text[:at]), TextDelta(text[at:]), ToolStarted("c", "f"), Finished(FinishReason.STOP)]
    arguments = json.dumps({"to": text})
    events[3:3] = [ToolDelta(arguments[:at]), ToolDelta(arguments[at:])]
    came, _, _ = asyncio.run(streamed(stream(events), (), MAPPING))
    folded = fold(came).events
    value = 'To Jane "J" Roe (Jane "J" Roe\'s) at jane@own.example; PERSON_k7q2m9x'
    assert folded[1] == TextDelta(value)
    assert json.loads(folded[3].arguments) == {"to": value}  # type: ignore[attr-defined]  # a ToolDelta


@pytest.mark.parametrize("rails", [(), (rail(EMAIL),)])
@pytest.mark.parametrize("size", [1, 5, 40])
def test_pseudonyms_that_tools_bring_while_it_streams_are_given_back_too(rails: Sequence[Rail], size: int) -> None:
    mapping: dict[str, str] = {}
    before, after = "It looks up things. ", " It finds PERSON_k7q2m9xd."

    class Tools(Listed):
        async def __anext__(self) -> Sequence[Frame]:
            batch = await super().__anext__()
            if batch[0].events == (TextDelta("."),):
                mapping.update(MAPPING)
            return batch

    pieces = [(before + after)[at : at + size] for at in range(0, len(before + after), size)]
    frames = Tools([[Frame((TextDelta(part),))] for part in [".", *pieces]])
    came, _, _ = asyncio.run(streamed(frames, rails, mapping, grows=True))
    assert fold(came).events[1] == TextDelta(f'.{before} It finds Jane "J" Roe.')


def test_a_whole_answer_in_which_nothing_is_found_keeps_its_wire() -> None:
    whole = whole_of([TextDelta("All is well.", 0, msgspec.Raw(b"{}")), Finished(FinishReason.STOP)])
    same, verdicts = asyncio.run(entire(whole, MASKS, MAPPING))
    assert same is whole
    assert [one.outcome for one in verdicts] == ["passed"] * 4


def test_a_whole_answer_that_changes_has_no_wire_and_the_one_before_is_left_alone() -> None:
    said = msgspec.Raw(b'{"content":[]}')
    events = [TextDelta("to a@b.de now", 0, said), TextDelta("fine", 1, said), Finished(FinishReason.STOP)]
    whole = whole_of(events)
    changed, _ = asyncio.run(entire(whole, MASKS))
    assert changed.wire == b""
    assert changed.events[1:3] == (TextDelta("to [EMAIL] now"), TextDelta("fine", 1, said))
    assert whole.wire == b"wire"
    assert whole.events[1] == events[0]


def test_words_that_leave_as_they_came_keep_their_probabilities() -> None:
    said = msgspec.Raw(b'{"content":[]}')
    words = Pattern("never", "word", reach=0)
    came, _, _ = asyncio.run(streamed(stream([TextDelta("All is well. ", 0, said)]), (rail(words),)))
    assert came == [TextDelta("All is well. ", 0, said)]


def test_reasoning_that_was_changed_loses_its_signature_and_other_reasoning_keeps_it() -> None:
    events = [
        ThinkingDelta("I write to a@b.de"),
        ThinkingSealed("one"),
        ThinkingDelta("and then I stop"),
        ThinkingSealed("two"),
        ThinkingSealed(redacted="three"),
        TextDelta("Done."),
        Finished(FinishReason.STOP),
    ]
    expected = [
        ThinkingDelta("I write to [EMAIL]and then I stop"),
        ThinkingSealed("two"),
        ThinkingSealed(redacted="three"),
        TextDelta("Done."),
    ]
    came, _, _ = asyncio.run(streamed(stream(events), MASKS))
    assert list(fold(came).events[1:-1]) == expected
    whole, _ = asyncio.run(entire(whole_of(events), MASKS))
    assert list(fold(whole.events).events[1:-1]) == expected


def test_findings_are_counted_from_the_first_word_of_their_place() -> None:
    events = [TextDelta("a@b.de"), ToolStarted("c", "f"), ToolDelta('{"x":"\\u0061@b.de"}'), TextDelta(" or a@b.de")]
    _, verdicts, _ = asyncio.run(streamed(stream(events), (rail(EMAIL),)))
    spans = sorted((span.place, span.start, span.end) for span in verdicts[0].spans)
    assert spans == [("0.text", 0, 6), ("0.text", 10, 16), ("0.tool.0", 6, 12)]


def test_rails_that_only_note_leave_frames_as_they_are() -> None:
    rails = (rail(EMAIL, "flag"), rail(CARD, "block", enforce=False))
    events = [TextDelta("to a@b.de with "), TextDelta("4111 1111 1111 1111 "), Finished(FinishReason.STOP)]
    frames = [[Frame((event,), b"{}", name="x")] for event in events]
    verdicts: list[RailVerdict] = []

    async def run() -> list[Sequence[Frame]]:
        answer = await screen(Answer(TARGET, frames=Listed(frames)), rails, Trace(verdicts), {}, schema=False)
        assert answer.frames is not None
        return [batch async for batch in answer.frames]

    assert asyncio.run(run()) == frames
    assert [(one.rail, one.outcome, one.enforced) for one in verdicts] == [
        ("email", "flagged", True),
        ("card", "blocked", False),
    ]


def test_an_answer_held_to_a_schema_stays_json() -> None:
    text = json.dumps({"mail": "a@b.de", "card": 4111111111111111, "who": "PERSON_k7q2m9xd"})
    came, _, _ = asyncio.run(streamed(stream([TextDelta(part) for part in text]), MASKS, MAPPING, schema=True))
    said = "".join(text_of(event) for event in came)
    assert json.loads(said) == {"mail": "[EMAIL]", "card": "[CARD]", "who": 'Jane "J" Roe'}


def citation(cited: str) -> Opaque:
    said = {"type": "char_location", "cited_text": cited, "document_index": 0}
    return Opaque(msgspec.Raw(json.dumps(said).encode()), Dialect.ANTHROPIC)


def test_a_citation_that_holds_a_finding_is_left_out_and_ends_a_blocked_answer() -> None:
    events = [TextDelta("As it says. "), citation("ask a@b.de"), citation("of PERSON_k7q2m9xd"), citation("all well")]
    came, verdicts, _ = asyncio.run(streamed(stream(events), MASKS, MAPPING))
    kept = [json.loads(bytes(event.payload))["cited_text"] for event in came if isinstance(event, Opaque)]
    assert kept == ['of Jane "J" Roe', "all well"]
    assert verdicts[0].spans[0].place == "0.other"
    _, _, error = asyncio.run(streamed(stream(events), (rail(EMAIL, "block"),)))
    assert isinstance(error, ContentBlocked)


def test_pieces_of_what_no_event_can_say_do_not_pass_beside_a_rail_that_acts() -> None:
    speech = Opaque(msgspec.Raw(b'{"message":{"audio":{"transcript":"to a@b"}}}'), Dialect.OPENAI)
    picture = Opaque(msgspec.Raw(b'{"message":{"images":[{"url":"data:image/png;base64,AAAA"}]}}'), Dialect.OPENAI)
    came, _, _ = asyncio.run(streamed(stream([speech, picture]), MASKS))
    assert came == [picture]
    came, _, _ = asyncio.run(streamed(stream([speech]), (rail(EMAIL, "flag"),)))
    assert came == [speech]


def test_an_event_among_the_words_stays_behind_those_that_it_followed() -> None:
    events = [TextDelta("As it says without an end"), citation("all well"), TextDelta(" here"), citation("and so")]
    came, _, _ = asyncio.run(streamed(stream([*events, Finished(FinishReason.STOP)]), MASKS))
    kinds = [type(event) for event in came]
    assert kinds.index(Opaque) > kinds.index(TextDelta)
    assert kinds[-1] is Finished
    assert kinds.count(Opaque) == 2


def test_the_first_and_the_counts_leave_at_once_and_the_end_after_the_last_words() -> None:
    usage = Metered(Usage(1, 2))
    frames = [
        [Frame((Started("id", "m"), TextDelta("a"), usage))],
        [Frame((), b"x")],
        [Frame((Finished(FinishReason.STOP),))],
    ]

    async def run() -> list[Sequence[Frame]]:
        answer = await screen(Answer(TARGET, frames=Listed(frames)), MASKS, Trace([]), {}, schema=False)
        assert answer.frames is not None
        return [batch async for batch in answer.frames]

    first, alive, last = asyncio.run(run())
    assert first[0].events == (Started("id", "m"), usage)
    assert (alive[0].events, alive[0].wire) == ((), b"")
    assert last[0].events == (TextDelta("a"), Finished(FinishReason.STOP))


def test_an_upstream_that_breaks_off_takes_what_was_held_back_along() -> None:
    frames = Listed([[Frame((TextDelta("All is well. And a@b"),))], UpstreamInterrupted("It broke off.")])
    came, _, error = asyncio.run(streamed(frames, MASKS))
    assert isinstance(error, UpstreamInterrupted)
    assert "a@b" not in "".join(text_of(event) for event in came)
    assert frames.closed
