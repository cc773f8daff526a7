"""The gate: each limit fails what is over it, and a run without answers never passes."""

import msgspec
import pytest

from mainstay.redteam.figures import Figures, Rate
from mainstay.redteam.gate import Gate, problems
from support.redteam import summary_of


def figures(*, attacks: Rate, harmless: tuple[int, int] = (0, 20), errors: int = 0) -> Figures:
    found = summary_of().figures
    replace = msgspec.structs.replace
    return replace(
        found,
        attacks=replace(found.attacks, guarded=attacks),
        harmless=replace(found.harmless, guarded=Rate(*harmless)),
        errors={"guarded": errors},
    )


@pytest.mark.parametrize(
    ("gate", "found", "passes"),
    [
        (Gate(), figures(attacks=Rate(99, 100)), True),
        (Gate(max_success=0.05), figures(attacks=Rate(5, 100)), True),
        (Gate(max_success=0.05), figures(attacks=Rate(6, 100)), False),
        (Gate(max_success=0.05, by="upper"), figures(attacks=Rate(1, 100)), False),
        (Gate(max_success=0.05, by="upper"), figures(attacks=Rate(1, 300)), True),
        (Gate(max_success=0.0), figures(attacks=Rate(0, 100)), True),
        (Gate(max_blocked=0.1), figures(attacks=Rate(0, 9), harmless=(2, 20)), True),
        (Gate(max_blocked=0.1), figures(attacks=Rate(0, 9), harmless=(3, 20)), False),
        (Gate(max_success=1.0), figures(attacks=Rate(0, 0), harmless=(0, 0)), False),
        (Gate(max_success=1.0), figures(attacks=Rate(0, 75), errors=5), True),
        (Gate(max_success=1.0), figures(attacks=Rate(0, 75), errors=6), False),
    ],
)
def test_a_limit_holds_up_to_its_value(gate: Gate, found: Figures, passes: bool) -> None:
    assert (problems(gate, found) == []) is passes


@pytest.mark.parametrize("name", ["injection", "LLM01:2025", "AML.T0051.000"])
def test_nothing_may_succeed_in_what_is_named(name: str) -> None:
    found = figures(attacks=Rate(2, 60))
    (said,) = problems(Gate(fail_on=[name]), found)
    assert f"attacks of '{name}' succeeded" in said


def test_what_was_not_tried_does_not_pass() -> None:
    assert problems(Gate(fail_on=["agency"]), figures(attacks=Rate(0, 60))) == ["No attack of 'agency' was answered."]
