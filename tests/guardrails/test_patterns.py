"""Words and patterns of one's own: bounded, quick, and the same in a part as in the whole."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.guardrails.patterns import check_pattern, pattern_scanner, word_scanner


def found(scanner: object, text: str) -> list[str]:
    return [text[one.start : one.end] for one in scanner.scan(text)]  # type: ignore[attr-defined]  # a scanner


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[", "is no regular expression"),
        ("a?", "matches nothing at all"),
        (r"\d+", r"bound its repetitions: \d{1,20} for \d+"),
        (r"(?=\d{500})1", "may match more than 400 characters"),
        (r"x{1,500}", "may match more than 400 characters"),
        (r"(a{1,10}){1,10}b", "too many ways to match"),
        (r"(?:a|b|cc){1,30}", "too many ways to match"),
        (r"\d{1,50}\d{1,50}\d{1,50}", "too many ways to match"),
        (r"\Afoo", "ask for a line's"),
    ],
)
def test_patterns_without_bounds_are_refused_with_the_way_out(pattern: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        check_pattern(pattern)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("pattern", "longest"),
    [
        ("PRJ-[0-9]{4}", 8),
        (r"\bPRJ-\d{1,6}\b", 12),
        (r"^total: \d{1,9}$", 18),
        (r"(\w)\1", 2),
        (r"(?:\w{1,20}+ ){0,5}+x", 106),
        (r"(?>a{1,40}){1,9}b", 361),
        ("red|green|blue", 5),
        (r"(?<!\w)id(?=: )", 5),
    ],
)
def test_what_a_pattern_looks_at_is_known(pattern: str, longest: int) -> None:
    assert check_pattern(pattern) == longest


def test_words_are_whole_and_of_any_case_and_spacing() -> None:
    scanner = word_scanner(["Project X", "acme", "acme corp"])
    text = "ACME Corp, acmeist, project \n x and projectx"
    assert found(scanner, text) == ["ACME Corp", "project \n x"]
    assert found(scanner, "Straße ACME ß") == ["ACME"]
    assert found(scanner, "nothing here") == []


def test_matches_that_overlap_are_one_finding() -> None:
    assert found(word_scanner(["new york", "york city"]), "in new york city now") == ["new york city"]
    assert found(pattern_scanner(["aba", r"b\d"]), "xababa1 b2") == ["ababa", "b2"]


def test_patterns_keep_their_own_groups() -> None:
    assert found(pattern_scanner([r"(x)y", r"(\w)\1z"]), "xy aaz") == ["xy", "aaz"]


@settings(max_examples=200, deadline=None)
@given(st.text("ab1 ", max_size=60), st.integers(0, 60))
def test_what_is_found_around_a_place_does_not_depend_on_what_is_far_away(text: str, at: int) -> None:
    scanner = pattern_scanner(["ab{1,3}1", "1 1"])
    at = min(at, len(text))
    low, high = max(0, at - 3 * scanner.reach), min(len(text), at + 3 * scanner.reach)
    part = text[low:high]
    near = {(one.start + low, one.end + low) for one in scanner.scan(part)}
    whole = {(one.start, one.end) for one in scanner.scan(text)}
    assert {span for span in whole if span[0] <= at < span[1] and span[1] - span[0] <= scanner.reach} <= near
