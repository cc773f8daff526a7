"""The tagger and its lists: names in many languages, and the same word in other company."""

import pytest

from mainstay.guardrails.personal.features import tokenise
from mainstay.guardrails.personal.gazetteer import CITY, COMMON, COUNTRY, FIRST, LAST, ORG, STREET, fold, open_gazetteer
from mainstay.guardrails.personal.names import Tagger, open_tagger


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return open_tagger()


def labels(tagger: Tagger, text: str) -> dict[str, str]:
    return {token.text: label for token, label, sure in tagger.tag(text) if sure >= 0.5}


@pytest.mark.parametrize(
    ("word", "flag"),
    [("Sarah", FIRST), ("Smith", LAST), ("Maribor", CITY), ("Uruguay", COUNTRY), ("straße", 0), ("strasse", STREET),
     ("GmbH", ORG), ("book", COMMON), ("Krisztián", FIRST), ("qzxv", 0)],
)  # fmt: skip
def test_a_word_is_on_the_lists_it_belongs_to(word: str, flag: int) -> None:
    flags = open_gazetteer().flags(fold(word))
    assert flags & flag if flag else flags == 0


def test_words_are_looked_up_without_case_and_accents() -> None:
    assert fold("Zoë ÅNGSTRÖM") == "zoe angstrom"
    assert fold("ABC") == "abc"


@pytest.mark.parametrize(
    ("text", "word", "label"),
    [
        ("My colleague Marek Nowotny called.", "Nowotny", "PER"),
        ("please tell jessica about it", "jessica", "PER"),
        ("Flights from Lagos to Oslo", "Oslo", "LOC"),
        ("She works for Delvara Holdings Ltd.", "Delvara", "ORG"),
        ("two Danish tourists", "Danish", "NRP"),
        ("Send it to 14 Rue Lepic, 75018 Paris", "Lepic", "ADR"),
    ],
)
def test_a_word_has_the_label_that_its_sentence_gives_it(tagger: Tagger, text: str, word: str, label: str) -> None:
    assert labels(tagger, text)[word] == label


def test_words_of_plain_sentences_have_none(tagger: Tagger) -> None:
    assert labels(tagger, "The invoice was paid on Monday. Please send a new one.") == {}


def test_a_wide_gap_and_a_long_word_part_the_text() -> None:
    gazetteer = open_gazetteer()
    assert [len(part) for part in tokenise("a b", gazetteer)] == [2]
    assert [len(part) for part in tokenise("a" + " " * 9 + "b", gazetteer)] == [1, 1]
    assert [len(part) for part in tokenise(f"a {'x' * 25} b", gazetteer)] == [1, 1]
