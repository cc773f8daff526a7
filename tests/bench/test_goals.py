import pytest
from bench.goals import GOALS, Goal, markdown, verdicts

from bench.rows import OWN_ROWS


def test_a_figure_is_kept_within_its_bounds_and_missed_outside() -> None:
    both = Goal("row_x", "x", at_least=0.95, at_most=1.05)
    assert [both.holds(value) for value in (0.94, 0.95, 1.0, 1.05, 1.06)] == [False, True, True, True, False]
    assert Goal("row_x", "x", at_most=0.0).holds(0.0) is True
    assert Goal("row_x", "x").holds(1.0) is None


@pytest.mark.parametrize(
    ("goal", "text"),
    [
        (Goal("a", "a", "ms", at_most=0.0101, scale=1e3, digits=1), "≤ 10.1 ms"),
        (Goal("a", "a", at_least=16), "≥ 16"),
        (Goal("a", "a", "%", at_least=0.5, at_most=0.6, scale=100), "50 % to 60 %"),
        (Goal("a", "a"), ""),
    ],
)
def test_bounds_are_shown_in_the_unit_of_the_figure(goal: Goal, text: str) -> None:
    assert goal.bounds() == text


def test_the_table_sets_the_target_beside_the_value_and_says_what_was_missed() -> None:
    text = markdown({"amplify_sole": 1.2, "amplify_route": 1.0, "cancel_stream_trials": 1000.0})
    lines = {line.split("|")[2].strip(): line for line in text.splitlines()[2:]}
    assert "1.200" in lines["calls per request, the only upstream dead"]
    assert lines["calls per request, the only upstream dead"].rstrip(" |").endswith("MISSED")
    assert lines["calls per request, first of two upstreams dead"].rstrip(" |").endswith("kept")
    assert len({len(line) for line in text.splitlines()}) == 1


def test_only_figures_with_a_target_have_a_verdict() -> None:
    assert verdicts({"amplify_sole": 1.0, "cancel_stream_trials": 1000.0}) == {"amplify_sole": True}


def test_every_goal_belongs_to_a_row_and_every_row_has_one() -> None:
    assert {goal.key.partition("_")[0] for goal in GOALS} == set(OWN_ROWS)
    assert len({goal.key for goal in GOALS}) == len(GOALS)
