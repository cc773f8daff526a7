"""Pinned sampling: set for every caller, and no seed for a model that takes none."""

import asyncio

import pytest

from mainstay.core.prompt import Prompt
from mainstay.core.target import Feature, Target
from mainstay.shaping.config import PinConfig
from mainstay.shaping.pin import pinned


@pytest.mark.parametrize(
    ("target", "seed"),
    [
        (Target("a", "p", "openai", "a"), 7),
        (Target("a", "p", "openai", "a", lacks=frozenset({Feature.SEED})), None),
        (Target("a", "p", "anthropic", "a"), None),
    ],
)
def test_a_seed_goes_only_to_models_that_take_one(target: Target, seed: int | None) -> None:
    prompt = Prompt("a", (), temperature=1.0, seed=3, top_p=0.5)
    found = asyncio.run(pinned(PinConfig(seed=7))(prompt, target))  # type: ignore[arg-type]  # it is a coroutine
    assert (found.temperature, found.seed, found.top_p) == (0.0, seed, 0.5)
