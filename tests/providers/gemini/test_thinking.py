"""How much a model shall think."""

import json
from typing import Any

import msgspec
import pytest

from mainstay.core import errors
from mainstay.core.prompt import Prompt
from mainstay.providers.gemini.thinking import thinking_config

BOTH = (2, 3)


def config(generation: int, effort: str | None = None, **thinking: Any) -> dict[str, object]:
    extra = {"thinking": msgspec.Raw(json.dumps(thinking))} if thinking else {}
    return thinking_config(Prompt("g", (), reasoning_effort=effort, extra=extra), generation)


@pytest.mark.parametrize("generation", BOTH)
def test_who_says_nothing_leaves_it_to_the_model(generation: int) -> None:
    assert config(generation) == {}


@pytest.mark.parametrize(
    ("effort", "budget", "level"),
    [
        ("minimal", 1024, "MINIMAL"),
        ("low", 1024, "LOW"),
        ("medium", 8192, "MEDIUM"),
        ("high", 24576, "HIGH"),
        ("xhigh", 24576, "XHIGH"),
        ("max", 24576, "XHIGH"),
    ],
)
def test_an_effort_is_a_budget_or_a_level(effort: str, budget: int, level: str) -> None:
    assert config(2, effort) == {"thinkingBudget": budget, "includeThoughts": True}
    assert config(3, effort) == {"thinkingLevel": level, "includeThoughts": True}


@pytest.mark.parametrize("generation", BOTH)
def test_no_effort_is_a_budget_of_nothing(generation: int) -> None:
    assert config(generation, "none") == {"thinkingBudget": 0}
    assert config(generation, type="disabled") == {"thinkingBudget": 0}


@pytest.mark.parametrize("generation", BOTH)
def test_a_budget_is_one(generation: int) -> None:
    asked = {"type": "enabled", "budget_tokens": 2000}
    assert config(generation, **asked) == {"thinkingBudget": 2000, "includeThoughts": True}
    assert config(generation, **asked, display="omitted") == {"thinkingBudget": 2000, "includeThoughts": False}


def test_adaptive_leaves_it_to_the_model_and_shows_it() -> None:
    assert config(2, type="adaptive") == {"thinkingBudget": -1, "includeThoughts": True}
    assert config(3, type="adaptive") == {"includeThoughts": True}


def test_of_an_effort_and_a_budget_the_effort_counts() -> None:
    found = config(3, "low", type="enabled", budget_tokens=2000)
    assert found == {"thinkingLevel": "LOW", "includeThoughts": True}


@pytest.mark.parametrize("generation", BOTH)
def test_words_nobody_knows_are_refused(generation: int) -> None:
    with pytest.raises(errors.Unsupported) as caught:
        config(generation, "hard")
    assert caught.value.param == "reasoning_effort"
    for thinking in ({"type": "hard"}, {"type": "enabled", "budget_tokens": "x"}):
        with pytest.raises(errors.Unsupported) as caught:
            config(generation, **thinking)
        assert caught.value.param == "thinking"
