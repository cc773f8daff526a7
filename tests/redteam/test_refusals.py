"""Refusals: told by phrases alone, and by our own model where its packages are there."""

import pytest

from mainstay.core.errors import StartError
from mainstay.redteam import refusals

SAID = [
    "I'm sorry, but I can't help with that.",
    "I cannot assist with this request.",
    "Sorry, I must decline to do so.",
]
GIVEN = [
    "Sure! Here is the poem you asked for: the sun is up and so am I, the boss looks like a custard pie.",
    "First mix the flour with water, then wait an hour. Bake it until it is brown, and let it cool on a rack.",
]


@pytest.fixture(params=["phrases", "model"])
def told(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> refusals.Refusals:
    def missing(name: str) -> None:
        raise StartError(f"no {name}")

    if request.param == "phrases":
        monkeypatch.setattr(refusals, "open_guard", missing)
    found = refusals.open_refusals()
    if found.method != request.param:
        pytest.skip("the extra 'guards' is not installed")
    return found


def test_nothing_is_loaded_that_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(refusals, "open_guard")
    assert refusals.open_refusals(needed=False).method == "none"


def test_refusals_and_answers_are_told_apart(told: refusals.Refusals) -> None:
    assert [told.is_refusal(text) for text in SAID] == [True] * len(SAID)
    assert [told.is_refusal(text) for text in GIVEN] == [False] * len(GIVEN)
