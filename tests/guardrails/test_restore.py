"""Restoring: the same however the answer was cut, and nothing held back that need not be."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.guardrails.restore import Restorer, restore

ONE, TWO, CARD = "PERSON_k7q2m9xd", "PERSON_k7q2m9xe", "NATIONAL_ID_00000000"
MAPPING = {ONE: "Sarah", TWO: 'Zoë\n"Z"', CARD: "12\\3", "Torvandell": "Tom", "user.0a@example.com": "t@x.org"}


def streamed(pieces: list[str], *, as_json: bool = False) -> str:
    restorer = Restorer(MAPPING, json=as_json)
    return "".join([*map(restorer.feed, pieces), restorer.close()])


@pytest.mark.parametrize(
    ("shown", "meant"),
    [
        (f"{ONE}'s", "Sarah's"),
        (f"**{ONE}**, `{ONE}` and {ONE}s", "**Sarah**, `Sarah` and Sarahs"),
        ("person_K7Q2M9XD", "Sarah"),
        ("PERSON\\_k7q2m9xd", "Sarah"),
        ("Person k7q2m9xd", "Sarah"),
        ("NATIONAL\\_ID\\_00000000", "12\\3"),
        ("national-id-00000000", "12\\3"),
        ("TORVANDELL", "Tom"),
        ("私はPERSON_k7q2m9xdです", "私はSarahです"),
        ("PERSON_PERSON_k7q2m9xd", "PERSON_Sarah"),
        ("PERSON_k7q2m9xa PERSON_ PERSON", "PERSON_k7q2m9xa PERSON_ PERSON"),
        ("", ""),
    ],
)
def test_a_pseudonym_is_known_though_the_model_bent_it(shown: str, meant: str) -> None:
    assert restore(shown, MAPPING) == meant
    assert streamed(list(shown)) == meant


def test_values_are_escaped_where_they_go_into_json() -> None:
    arguments = json.dumps({"to": TWO, "id": f"no. {CARD}"})
    for size in range(1, len(arguments)):
        pieces = [arguments[at : at + size] for at in range(0, len(arguments), size)]
        assert json.loads(streamed(pieces, as_json=True)) == {"to": MAPPING[TWO], "id": "no. 12\\3"}


@pytest.mark.parametrize("between", ["", " ", "_", "\\", "PER", "PERSON_", "x" * 50])
def test_no_place_to_cut_a_stream_matters(between: str) -> None:
    text = between.join([ONE, "PERSON\\_k7q2m9xe", CARD, "Torvandell", "user.0a@example.com", ONE[:-1]])
    whole = restore(text, MAPPING)
    assert "Sarah" in whole
    for first in range(len(text) + 1):
        for second in range(first, min(first + 30, len(text)) + 1):
            assert streamed([text[:first], text[first:second], text[second:]]) == whole


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from([*MAPPING, "\\", "_", "PERSON", "Torv", "K"]), st.text(max_size=4))), st.data()
)
def test_a_stream_gives_what_the_whole_gives(parts: list[str], data: st.DataObject) -> None:
    text = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert streamed(pieces) == restore(text, MAPPING)


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("Hello world!", ""),
        ("Hello P", "P"),
        ("PERSON_k7q2m9x", "PERSON_k7q2m9x"),
        ("PERSON_k7q2m9xa", ""),
        ("PERSON_k7z", ""),
        ("PERSON\\", "PERSON\\"),
        ("PERSON_PERS", "PERS"),
        (ONE, ""),
    ],
)
def test_only_what_may_become_a_pseudonym_is_held_back(text: str, held: str) -> None:
    restorer = Restorer(MAPPING)
    assert restorer.feed(text) == restore(text.removesuffix(held), MAPPING)
    assert restorer.close() == held


def test_a_restorer_counts_and_may_be_used_again() -> None:
    restorer = Restorer(MAPPING)
    assert restorer.feed(f"{ONE} {TWO}"[:-1]) == "Sarah "
    assert restorer.close() == TWO[:-1]
    assert restorer.feed(ONE) + restorer.close() == "Sarah"
    assert restorer.restored == 2


def test_without_pseudonyms_text_passes_untouched() -> None:
    restorer = Restorer({})
    assert restorer.feed("PERSON_") + restorer.close() == "PERSON_"
