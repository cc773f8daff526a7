"""Answers that are JSON: not a sign of them changes, and what their texts say is cited by where it stands in them."""

import asyncio
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.core.errors import OutputInvalid
from mainstay.core.events import Cited, Grounded, TextDelta
from mainstay.core.prompt import OutputForm
from mainstay.grounding.access import access_of
from mainstay.grounding.asking import Asking
from mainstay.grounding.policies import Rule
from mainstay.grounding.stage import Ground
from mainstay.grounding.structured import texts_of
from support.citing import DIALECTS, answering, run, saying, streamed, whole
from support.grounding import CATS, REFUNDS, Model, ScriptedLibrary, a_call, events_of

DATA = {
    "Refunds take 14 days.": 1,
    "answer": 'Refunds take 14 days. "Gold" coins are unknown to us.',
    "more": ["Cats are allowed\tin the shop 🙂.", [1], "No."],
    "numbers": [1, 2.5, None, True],
}


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
def test_claims_are_cited_by_their_place_in_the_json_as_it_is_written(ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(DATA, ensure_ascii=ascii_only, indent=indent)
    events = run(whole(answering(json=True), saying([text])))
    assert "".join(one.text for one in events if isinstance(one, TextDelta)) == text
    (told,) = [one for one in events if isinstance(one, Grounded)]
    assert [(json.loads(f'"{one.claim.text}"'), one.source.passage, one.quote, one.how) for one in told.citations] == [
        ("Refunds take 14 days.", "refunds", "Refunds take 14 days.", "attributed"),
        ("Cats are allowed\tin the shop 🙂.", "cats", "Cats are allowed in the shop.", "attributed"),
    ]
    for one in told.citations:
        assert text[one.claim.start : one.claim.end] == one.claim.text
    assert told.citations[0].claim.start > text.index("answer")


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ),
    st.booleans(),
)
def test_every_text_in_json_is_found_with_its_place(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    found = list(texts_of(text))
    assert [words for words, _ in found] == list(_texts(value))
    for words, places in found:
        assert len(places) == len(words) + 1
        assert json.loads(f'"{text[places[0] : places[len(words)]]}"') == words


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)


@pytest.mark.parametrize(
    "text", ['{"a": "Refunds take 14 days', '"\\ud800 and so on"', "Refunds take 14 days.", '"\\x"', ""]
)
def test_what_is_no_json_passes_as_it_is(text: str) -> None:
    events = run(whole(answering(json=True), saying([text])))
    assert "".join(one.text for one in events if isinstance(one, TextDelta)) == text


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_a_stream_of_json_cites_what_the_whole_does(name: str) -> None:
    draw = random.Random(name)
    text = json.dumps(DATA)
    complete = DIALECTS[name][0](run(whole(answering(json=True), saying([text]))))
    assert len(complete.summary["grounding"].get("citations", complete.citations)) == 2
    for _ in range(20):
        cuts = sorted(draw.choices(range(len(text)), k=5))
        pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert DIALECTS[name][1](run(streamed(answering(json=True), saying(pieces)))) == complete


def ground(library: ScriptedLibrary, **rule: Any) -> Ground:
    made = Rule("handbook", text="Nothing.", abstention="Not sure.", **rule)
    asking = Asking(made, library, lambda caller: access_of(caller, {}))
    return Ground(asking, library.check if made.unsupported else None, b"secret")


SAID = '{"a": "Refunds take 14 days.", "b": ["They are paid in gold coins."], "c": [1]}'


def answer(stream: bool, **rule: Any) -> tuple[tuple[Any, ...], Any]:
    library = ScriptedLibrary(REFUNDS, CATS, confidence=0.1)
    library.wrong = {"gold": "not_found"}
    call = a_call(stream=stream, form=OutputForm("json"))
    model = Model([SAID[:20], SAID[20:]])

    async def go() -> tuple[Any, ...]:
        return await events_of(await ground(library, **rule)(call, model))

    return asyncio.run(go()), call.record.grounding


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("unsupported", ["mark", "strip"])
def test_nothing_is_taken_out_of_json_and_no_other_text_put_in_its_place(stream: bool, unsupported: str) -> None:
    events, record = answer(stream, unsupported=unsupported, unsure=0.5, support=0.9)
    assert "".join(one.text for one in events if isinstance(one, TextDelta)) == SAID
    (one,) = [event.citation for event in events if isinstance(event, Cited)]
    assert (one.verdict, one.claim.text) == ("supported", "Refunds take 14 days.")
    assert record.verdicts == {"supported": 1, "not_found": 1}


@pytest.mark.parametrize("stream", [False, True])
def test_json_with_unsupported_claims_is_refused_before_any_of_it_has_left(stream: bool) -> None:
    with pytest.raises(OutputInvalid):
        answer(stream, unsupported="refuse")
