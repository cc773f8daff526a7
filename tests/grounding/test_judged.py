"""Tests of measuring what questions find."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import InvalidRequest
from mainstay.grounding.judged import Judged, compare, evaluate, interval, mrr, ndcg, parse, recall


def test_measures_are_as_their_formulas_say() -> None:
    """Computed by hand for one ranking."""
    ranking, relevant = ["x", "a", "y", "b"], {"a": 2, "b": 1, "c": 1}
    gain = 2 / math.log2(3) + 1 / math.log2(5)
    ideal = 2 + 1 / math.log2(3) + 1 / math.log2(4)
    assert ndcg(ranking, relevant) == pytest.approx(gain / ideal)
    assert recall(ranking, relevant, 3) == pytest.approx(1 / 3)
    assert mrr(ranking, relevant) == 0.5


def test_nothing_relevant_is_0() -> None:
    """Not an error."""
    assert (ndcg(["a"], {}), recall(["a"], {}), mrr(["a"], {})) == (0.0, 0.0, 0.0)


@given(st.permutations("abcdef"), st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 3), min_size=1))
def test_the_best_order_has_1_and_every_other_no_more(ranking: list[str], relevant: dict[str, int]) -> None:
    """Grades count, ties do not."""
    best = sorted("abcdef", key=lambda name: -relevant.get(name, 0))
    assert ndcg(best, relevant) == pytest.approx(1.0)
    assert 0.0 <= ndcg(ranking, relevant) <= 1.0 + 1e-9


def test_a_run_is_summed_up_with_its_interval() -> None:
    """Repeated ids count once."""
    judged = [Judged("one", {"a": 1}), Judged("two", {"b": 1})]
    report = evaluate(judged, lambda question: ["x", "x", "a"] if question == "one" else ["b"])
    assert report.each == (pytest.approx(1 / math.log2(3)), 1.0)
    assert report.questions == 2
    assert report.low <= report.ndcg <= report.high
    assert (report.recall, report.mrr) == (1.0, 0.75)


def test_no_questions_are_refused() -> None:
    """There is nothing to measure."""
    with pytest.raises(InvalidRequest):
        evaluate([], lambda _: [])


def test_a_gain_on_most_questions_is_told_from_chance() -> None:
    """And no gain is not."""
    before = [0.1 * (at % 7) for at in range(60)]
    better = compare(before, [value + 0.05 + 0.01 * (at % 3) for at, value in enumerate(before)])
    assert better.low > 0
    assert better.p == 0.0
    chance = compare(before, [value + (0.1 if at % 2 else -0.1) for at, value in enumerate(before)])
    assert chance.low < 0 < chance.high
    with pytest.raises(InvalidRequest):
        compare([0.1], [0.1, 0.2])


def test_the_interval_of_one_value_is_that_value() -> None:
    """And of none 0."""
    assert interval([0.5]) == (0.5, 0.5)
    assert interval([]) == (0.0, 0.0)


def test_judged_questions_are_read_from_lines() -> None:
    """With grades or without."""
    lines = ['{"question": "q", "relevant": ["a", "b"]}', "", '{"question": "r", "relevant": {"c": 2}}']
    assert parse(lines) == [Judged("q", {"a": 1, "b": 1}), Judged("r", {"c": 2})]


@pytest.mark.parametrize(
    "line", ["{", "[]", '{"question": "q"}', '{"question": 1, "relevant": ["a"]}', '{"question": "q", "relevant": []}',
             '{"question": "q", "relevant": "a"}', '{"question": "q", "relevant": {"a": "x"}}'],
)  # fmt: skip
def test_a_line_of_another_form_is_refused_by_its_number(line: str) -> None:
    """So that it can be found."""
    with pytest.raises(InvalidRequest, match="Line 2"):
        parse(["", line])
