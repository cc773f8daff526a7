"""How much of a text that still comes is final: always right, and most of what has come."""

from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.guardrails.personal import PersonalConfig, PersonalScanner, open_personal
from mainstay.guardrails.personal.config import Kind
from mainstay.guardrails.watches import Watch
from mainstay.guardrails.window import Window

WORDS = """
the of and number please about another question because yesterday Anna Miller Dr Mrs. O'Brien Müller Van de Berlin Acme
Inc. Street 221 Baker 10115 4111 1111 12 March mayo enero 1981 2024-05-06 +44 20 7946 0958 07700 900123 (212) 555-0134
a@b.com info@mail.org http://x.y/z www.x.com ::1 10.0.0.1 00:1B:44:11:3A:B7 ssn 536-90-4399 passport no. X4K8821P0 card
47 years old aged turned 30 Monday DE89 3704 0044 0532 0130 00 born call account plate KA 51 MB zip 90210 in 1990
born-again x ext. , . ( ) : - '
"""
PARTS = st.sampled_from([*WORDS.split(), "\n", ""])
TEXTS = st.lists(st.one_of(PARTS, PARTS, PARTS, st.text(max_size=3)), max_size=70).map(" ".join)


@pytest.fixture(scope="module", params=["usual", "everything", "no names"])
def scanner(request: pytest.FixtureRequest) -> PersonalScanner:
    if request.param == "usual":
        return open_personal(PersonalConfig())
    return open_personal(PersonalConfig(kinds=get_args(Kind), names=request.param == "everything"))


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.integers(0, 400))
def test_what_is_final_stays_so_whatever_follows(scanner: PersonalScanner, text: str, cut: int) -> None:
    early = text[:cut]
    final = scanner.settled(early)
    assert 0 <= final <= len(early)
    assert [one for one in scanner.scan(early) if one.start < final] == [
        one for one in scanner.scan(text) if one.start < final
    ]


@settings(max_examples=20, deadline=None)
@given(TEXTS, st.lists(st.integers(1, 90), min_size=1, max_size=9))
def test_in_pieces_the_same_is_found_as_in_the_whole(scanner: PersonalScanner, text: str, sizes: list[int]) -> None:
    class Eager:
        stride = 1
        reach, scan, settled = scanner.reach, scanner.scan, scanner.settled

    window = Window([Watch(0, Eager(), holds=True)], step=8)
    found, at, turn = [], 0, 0
    while at < len(text):
        window.feed(text[at : at + sizes[turn % len(sizes)]])
        found += window.take()[0]
        at, turn = at + sizes[turn % len(sizes)], turn + 1
    window.close()
    found += window.take()[0]
    assert [(one.start, one.end, one.kind) for _, one in found] == [
        (one.start, one.end, one.kind) for one in scanner.scan(text)
    ]


def test_of_prose_hardly_more_is_held_back_than_a_few_words() -> None:
    usual = open_personal(PersonalConfig())
    text = (
        "Sure. The quickest way to change your password is to open the settings page, choose Advanced and follow the "
        "link there. After that you should receive a message within ten minutes; if nothing comes, look into the "
        "folder for unwanted messages and write to us again. We are always happy to help you further with this. "
    ) * 3
    held = [place - usual.settled(text[:place]) for place in range(1, len(text), 7)]
    assert sum(held) / len(held) < 60
    assert max(held) < 140
