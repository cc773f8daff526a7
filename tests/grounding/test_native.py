"""Vendors that cite by themselves: passages in their form, and their citations held against the passages."""

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from mainstay.core.events import Cited, ClaimEnded, Event, Grounded, Opaque, TextDelta
from mainstay.core.prompt import DocumentPart, Message, Prompt, SearchResultPart, TextPart
from mainstay.core.sse import SseEvent
from mainstay.core.target import Target
from mainstay.grounding.attach import attached, shown
from mainstay.grounding.attribution import Passages
from mainstay.grounding.native import Natives
from mainstay.providers.anthropic.codec import AnthropicCodec
from mainstay.providers.anthropic.requests import translate
from mainstay.providers.cohere.codec import CohereCodec
from support.citing import DIALECTS, answering, run, streamed, whole
from support.grounding import CATS, HOURS, REFUNDS, ScriptedLibrary

CLAUDE = Target("claude", "anthropic", "anthropic", "claude")
OTHER = Target("other", "openai", "openai", "other")
ASKED = Prompt("m", (Message("user", (TextPart("When?"),)),))
SHOWN = [shown(REFUNDS), shown(HOURS)]
PUT = attached(SHOWN, "kkkkkkkkkk", cite=True)


def adapted(prompt: Prompt, target: Target, texts: Sequence[str] = SHOWN) -> Prompt:
    natives = Natives(Passages((REFUNDS, HOURS)), texts, PUT)
    changed: Prompt = run(natives.adapt(prompt, target))
    assert natives.was_asked(target) == (changed is not prompt)
    return changed


def location(source: str, quote: str, blocks: tuple[int, int] = (0, 1)) -> dict[str, Any]:
    return {
        "type": "search_result_location",
        "source": source,
        "title": "Handbook",
        "cited_text": quote,
        "search_result_index": 0,
        "start_block_index": blocks[0],
        "end_block_index": blocks[1],
    }


FIRST = location("refunds", "Refunds take 14 days. ")
SECOND = location("hours", "On Sundays it stays closed.", (1, 2))
WRONG = location("refunds", "Refunds take 15 days. ")
THEIRS = {**location("https://own.example", "Anything."), "search_result_index": 9}


def text(words: str, *citations: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **({"citations": list(citations)} if citations else {})}


def message(*blocks: Any) -> list[Event]:
    """Return the events of a whole message of Anthropic's."""
    body = {"id": "msg_1", "type": "message", "model": "m", "role": "assistant", "content": blocks}
    body |= {"stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}}
    return list(AnthropicCodec().whole(json.dumps(body).encode()).events)


def events_of(*blocks: Any, draw: random.Random | None = None) -> list[Event]:
    """Return the events of the same message as a stream, cut at random; some citations come before their words."""
    draw = draw or random.Random(0)
    told: list[Any] = [{"type": "message_start", "message": {"id": "msg_1", "type": "message", "model": "m"}}]
    for index, block in enumerate(blocks):
        cites = [{"type": "citations_delta", "citation": one} for one in block.get("citations", ())]
        words = block["text"]
        size = draw.randint(1, 12)
        pieces = [{"type": "text_delta", "text": words[at : at + size]} for at in range(0, len(words), size)]
        deltas = [*cites, *pieces] if draw.random() < 0.5 else [*pieces, *cites]
        told.append({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}})
        told += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        told.append({"type": "content_block_stop", "index": index})
    told += [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}]
    told += [{"type": "message_stop"}]
    reader = AnthropicCodec().reader()
    frames = [reader.feed(SseEvent(json.dumps(one).encode(), one["type"].encode())) for one in told]
    return [event for frame in frames if frame is not None for event in frame.events]


def told_of(events: Sequence[Event]) -> Grounded:
    (told,) = [event for event in events if isinstance(event, Grounded)]
    return told


def rests(events: Sequence[Event]) -> list[tuple[str, str, str]]:
    return [(one.claim.text, one.source.passage, one.quote) for one in told_of(events).citations]


def test_a_vendor_that_cites_is_given_results_of_a_search_and_told_of_no_marks() -> None:
    prompt = adapted(PUT.to(ASKED), CLAUDE)
    body = json.loads(translate(prompt, CLAUDE, stream=False))
    assert "square brackets" not in str(body["system"])
    first, second, own = body["messages"][0]["content"]
    assert first["type"] == second["type"] == "search_result"
    assert [one["text"] for one in first["content"]] == [
        "Refunds take 14 days. ",
        "They are paid to the card that was charged.",
    ]
    assert (first["source"], first["title"], first["citations"]) == ("refunds", "Handbook", {"enabled": True})
    assert second["title"] == "Handbook (page 3)"
    assert own["text"] == "\n\nWhen?"
    _, cohere = CohereCodec().request(_ask(adapted(PUT.to(ASKED), COHERE)), COHERE, stream=False)
    documents = json.loads(cohere)["documents"]
    assert [one["id"] for one in documents] == ["refunds", "hours"]
    assert documents[0]["data"] == {"title": "Handbook", "text": REFUNDS.text}


COHERE = Target("command", "cohere", "cohere", "command")


def _ask(prompt: Prompt) -> Any:
    from support.grounding import a_call

    return a_call().ask.asking(prompt)


def test_others_are_given_marks_and_so_is_a_caller_with_documents_that_are_not_to_be_cited() -> None:
    prompt = PUT.to(ASKED)
    assert adapted(prompt, OTHER) is prompt
    for part in (DocumentPart(data="x", media_type="text/plain"), SearchResultPart.of("s", "t", ("x",))):
        own = PUT.to(Prompt("m", (Message("user", (part, TextPart("When?"))),)))
        assert adapted(own, CLAUDE) is own
    cited = SearchResultPart.of("s", "t", ("x",), extra={"citations": _raw({"enabled": True})})
    own = PUT.to(Prompt("m", (Message("user", (cited, TextPart("When?"))),)))
    assert adapted(own, CLAUDE) is not own


def _raw(value: Any) -> Any:
    import msgspec

    return msgspec.Raw(json.dumps(value).encode())


def test_what_a_step_since_has_changed_stays_as_it_is() -> None:
    prompt = PUT.to(ASKED)
    system, user = prompt.messages
    masked = Prompt("m", (system, Message("user", (TextPart("[masked]"), *user.parts[1:]))))
    assert adapted(masked, CLAUDE) is masked
    retold = Prompt("m", (Message("system", (TextPart("Other."),)), user))
    assert adapted(retold, CLAUDE) is retold


def test_words_that_rails_have_changed_are_given_and_quoted_by_the_passage() -> None:
    texts = ["Handbook\n\nRefunds take [number] days.", SHOWN[1]]
    put = attached(texts, "kkkkkkkkkk", cite=True)
    natives = Natives(Passages((REFUNDS, HOURS)), texts, put)
    prompt = run(natives.adapt(put.to(ASKED), CLAUDE))
    result = prompt.messages[1].parts[0]
    assert (result.title, result.texts) == ("Passage 1", (texts[0],))
    assert "14" not in result.text


@pytest.mark.parametrize("stream", [False, True])
def test_a_vendor_s_citations_become_ours_where_their_quotes_are_the_passage_s_own(stream: bool) -> None:
    blocks = [text("So, "), text("refunds take 14 days", FIRST, SECOND), text(". "), text("It is 15", WRONG), text(".")]
    events = run(streamed(answering(attribute=False), events_of(*blocks) if stream else message(*blocks)))
    assert "".join(one.text for one in events if isinstance(one, TextDelta)) == "So, refunds take 14 days. It is 15."
    assert rests(events) == [
        ("refunds take 14 days", "refunds", "Refunds take 14 days."),
        ("refunds take 14 days", "hours", "On Sundays it stays closed."),
    ]
    told = told_of(events)
    assert (told.invented, [one.claim.start for one in told.citations]) == (1, [4, 4])
    assert all(one.how == "marked" for one in told.citations)
    assert not [one for one in events if isinstance(one, Opaque)]


def test_blocks_of_one_sentence_are_claims_of_their_own() -> None:
    blocks = [text("So, "), text("refunds take 14 days", FIRST), text(" and on Sundays it is closed.", SECOND)]
    said = DIALECTS["messages"][0](run(whole(answering(), message(*blocks))))
    assert [(words, one[0]["cited_text"]) for words, one in said.citations] == [
        ("refunds take 14 days", "Refunds take 14 days."),
        (" and on Sundays it is closed.", "On Sundays it stays closed."),
    ]


def test_citations_of_the_caller_s_own_documents_pass_as_they_are() -> None:
    place = {"type": "char_location", "cited_text": "Mine.", "document_index": 0}
    blocks = [text("Refunds take 14 days. ", FIRST), text("It is mine.", place, THEIRS)]
    for events in (message(*blocks), events_of(*blocks)):
        said = DIALECTS["messages"][1](run(streamed(answering(), events)))
        assert [(words, [one["type"] for one in some]) for words, some in said.citations] == [
            ("Refunds take 14 days. ", ["char_location"]),
            ("It is mine.", ["char_location", "search_result_location"]),
        ]
        assert said.citations[1][1] == [place, THEIRS]


@pytest.mark.parametrize("stream", [False, True])
def test_claims_are_checked_by_the_sentence_and_taken_out_with_what_they_cite(stream: bool) -> None:
    library = ScriptedLibrary()
    library.wrong = {"gold": "not_found"}
    blocks = [text("It is "), text("paid in gold", FIRST), text(". "), text("Refunds take 14 days.", FIRST)]
    import asyncio

    async def go() -> list[Event]:
        taking = answering(unsupported="strip", check=library.check)
        return await streamed(taking, events_of(*blocks) if stream else message(*blocks))

    events = asyncio.run(go())
    assert "".join(one.text for one in events if isinstance(one, TextDelta)) == "Refunds take 14 days."
    (told,) = told_of(events).citations
    assert (told.claim.start, told.claim.text, told.verdict) == (0, "Refunds take 14 days.", "supported")
    (one,) = [event.citation for event in events if isinstance(event, Cited)]
    assert one.verdict == "supported"
    assert ("It is paid in gold.", REFUNDS.text) in library.checked


def test_a_quote_that_the_vendor_has_joined_in_its_own_way_is_the_passage_s() -> None:
    joined = location("refunds", "Refunds take 14 days.\nThey are paid to the card that was charged.", (0, 2))
    other = location("refunds", "Refunds take 14 days.\nThey are paid to the card.", (0, 2))
    events = run(streamed(answering(), message(text("Yes, they are.", joined, other))))
    assert rests(events) == [("Yes, they are.", "refunds", REFUNDS.text)]
    assert told_of(events).invented == 1


BLOCKS = [
    text("So, "), text("refunds take 14 days", FIRST), text(". "), text("On Sundays it is closed.", SECOND, FIRST),
    text("No. It is 15 🙂.", WRONG), text("\n\n"), text("Mine is it", THEIRS), text(" More is known. And more."),
]  # fmt: skip


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_a_vendor_s_stream_cites_what_its_whole_answer_cites(name: str) -> None:
    draw = random.Random(f"native {name}")
    for _ in range(150):
        blocks = draw.choices(BLOCKS, k=draw.randint(1, 5))
        stream = run(streamed(answering(attribute=False), events_of(*blocks, draw=draw)))
        complete = run(whole(answering(attribute=False), message(*blocks)))
        assert DIALECTS[name][1](stream) == DIALECTS[name][0](complete), blocks


def test_blocks_that_cite_come_back_as_they_were_where_nothing_grounds_them() -> None:
    blocks = [text("So, "), text("it is so", FIRST), text("."), text(" And this", SECOND, THEIRS)]
    draw = random.Random(7)
    for _ in range(20):
        for events in (message(*blocks), events_of(*blocks, draw=draw)):
            for wire in (0, 1):
                said = DIALECTS["messages"][wire]([*events, Grounded(None)])
                assert said.citations == [("it is so", [FIRST]), (" And this", [SECOND, THEIRS])]
    assert [one for one in message(*blocks) if isinstance(one, ClaimEnded)] == [ClaimEnded()] * 3


SPANS = [
    {"start": 0, "end": 20, "text": "Refunds take 14 days", "sources": [{"type": "document", "id": "refunds"}]},
    {"start": 38, "end": 44, "text": "closed", "sources": [{"type": "document", "id": "hours"}, {"type": "tool"}]},
    {"start": 3, "end": 9, "text": "nowhere", "sources": [{"type": "document", "id": "refunds"}]},
]
ANSWER = "Refunds take 14 days. On Sundays it is closed."


def cohere(draw: random.Random | None = None) -> list[Event]:
    """Return the events of an answer of Cohere's: whole, or as a stream that is cut at random."""
    if draw is None:
        said = {"role": "assistant", "content": [{"type": "text", "text": ANSWER}], "citations": SPANS}
        body = {"id": "1", "finish_reason": "COMPLETE", "message": said}
        return list(CohereCodec().whole(json.dumps(body).encode()).events)
    size = draw.randint(1, 9)
    pieces = [ANSWER[at : at + size] for at in range(0, len(ANSWER), size)]
    told: list[Any] = [{"type": "content-delta", "delta": {"message": {"content": {"text": one}}}} for one in pieces]
    for span in SPANS:
        told.insert(draw.randint(0, len(told)), {"type": "citation-start", "delta": {"message": {"citations": span}}})
    told = [
        {"type": "message-start", "id": "1"},
        *told,
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE"}},
    ]
    reader = CohereCodec().reader()
    frames = [reader.feed(SseEvent(json.dumps(one).encode(), one["type"].encode())) for one in told]
    return [event for frame in frames if frame is not None for event in frame.events]


def test_citations_by_place_are_resolved_once_all_words_are_there() -> None:
    complete = run(whole(answering((REFUNDS, HOURS, CATS), attribute=False), cohere()))
    assert rests(complete) == [
        ("Refunds take 14 days", "refunds", "Refunds take 14 days."),
        ("closed", "hours", "On Sundays it stays closed."),
    ]
    assert told_of(complete).invented == 1
    draw = random.Random(3)
    for _ in range(60):
        stream = run(streamed(answering(attribute=False), cohere(draw)))
        assert rests(stream) == rests(complete)
        for name in ("chat", "responses"):
            assert DIALECTS[name][1](stream) == DIALECTS[name][0](complete)
