"""Overlaps: the surer stands, what is known by its writing before what a model guesses, and nothing found is lost."""

from hypothesis import given
from hypothesis import strategies as st

from mainstay.guardrails.personal.settle import settle
from mainstay.guardrails.port import Finding


def test_the_surer_of_two_stands() -> None:
    low, high = Finding(0, 8, "phone", 0.5, "phone"), Finding(0, 8, "national_id", 0.9, "us_ssn")
    assert settle([low, high], "12345678") == [high]


def test_of_equally_sure_ones_the_longest_stands() -> None:
    short, long = Finding(0, 4, "place", 0.9, "tagger"), Finding(0, 9, "address", 0.9, "tagger")
    assert settle([short, long], "1 Main St") == [long]


def test_what_is_known_by_its_writing_is_not_broken_up_by_a_guess() -> None:
    email, name = Finding(6, 13, "email", 0.99, "email"), Finding(0, 9, "person", 1.0, "tagger")
    assert settle([name, email], "Sarah sj@a.bc") == [Finding(0, 5, "person", 1.0, "tagger"), email]


def test_what_sticks_out_of_a_winner_is_kept_only_if_it_says_something() -> None:
    login, url = Finding(8, 11, "credentials", 1.0, "url_credentials"), Finding(0, 14, "url", 0.98, "url")
    assert settle([login, url], "https://a:b@cd") == [login]
    number = Finding(0, 14, "phone", 0.9, "phone")
    assert settle([Finding(0, 6, "card", 0.99, "card"), number], "123456 7654321")[1] == Finding(
        7, 14, "phone", 0.9, "phone"
    )


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 12), st.sampled_from([0.5, 0.9, 1.0]), st.booleans())))
def test_the_result_is_in_order_and_without_overlaps(spans: list[tuple[int, int, float, bool]]) -> None:
    found = [
        Finding(start, start + size, "person", score, "tagger" if guessed else "x")
        for start, size, score, guessed in spans
    ]
    end = 0
    for one in settle(found, "a1" * 40):
        assert end <= one.start < one.end
        end = one.end
