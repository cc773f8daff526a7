"""Verdicts in the form of the wire."""

import asyncio
import base64
from typing import Any

import pytest

pytest.importorskip("numpy", reason="the extra 'guards' is not installed")

from mainstay.core.errors import Unreadable  # numpy may be missing
from mainstay.core.ports import Material
from mainstay.encoders.minilm import is_installed
from mainstay.guardrails import opennsfw
from mainstay.guardrails.moderation import CATEGORIES, Assessing, Moderator

pytestmark = pytest.mark.skipif(not is_installed(), reason="the extra 'guards' is not installed")


def test_each_text_has_a_verdict_and_bad_words_far_down_are_found() -> None:
    kind, rude, late = Moderator().moderate(
        ["What is the capital of Norway?", "you stupid fucking bitch", "All is well. " * 100 + "You fucking moron!"]
    )
    assert not kind["flagged"]
    assert rude["flagged"]
    assert late["categories"]["profanity"]
    for verdict in (kind, rude, late):
        assert set(verdict["categories"]) == set(verdict["category_scores"])
        assert verdict["flagged"] == any(verdict["categories"].values())


def test_thresholds_of_a_tenant_take_the_place_of_our_own() -> None:
    text = ["you stupid fucking bitch"]
    never = dict.fromkeys(Moderator().moderate(text)[0]["categories"], 1.1)
    assert not Moderator(never).moderate(text)[0]["flagged"]


def test_an_empty_text_has_a_verdict_too() -> None:
    assert Moderator().moderate([""])[0]["flagged"] in (True, False)
    assert Moderator().moderate([]) == []


class Eyes:
    """Opens and reads images as it is told."""

    def __init__(self, words: str = "") -> None:
        self.words = words

    async def pixels(self, image: bytes, seconds: float) -> str:
        return base64.b64encode(image[:1] * (224 * 224 * 3)).decode()

    async def read(self, image: bytes, seconds: float) -> str:
        return self.words


def assess(assessing: Assessing, *inputs: Material, **thresholds: float | None) -> list[dict[str, Any]]:
    async def run() -> list[dict[str, Any]]:
        try:
            return await assessing.assess(inputs, thresholds, 5.0)
        finally:
            assessing.close()

    return asyncio.run(run())


def test_many_inputs_have_the_verdicts_that_each_has_alone() -> None:
    texts = ["Good morning.", "you stupid fucking bitch", "All is well. " * 100 + "You fucking moron!", ""]
    together = assess(Assessing(), *(Material((text,)) for text in texts))
    for one, other in zip(together, Moderator().moderate(texts), strict=True):
        assert one["categories"] == other["categories"]
        assert one["category_scores"] == pytest.approx(other["category_scores"], abs=1e-4)


def test_the_words_in_an_image_are_judged_with_the_rest() -> None:
    both = Material(("Look at this.",), (b"\x7f",))
    (mute,) = assess(Assessing(), Material(("Look at this.",)))
    (found,) = assess(Assessing(words=Eyes("you stupid fucking bitch").read), both)
    assert (mute["flagged"], found["flagged"]) == (False, True)
    assert mute["category_applied_input_types"]["hate"] == ["text"]
    assert found["category_applied_input_types"]["hate"] == ["text", "image"]


@pytest.mark.skipif(not opennsfw.is_installed(), reason="the extra 'guards' is not installed")
def test_an_image_is_judged_for_what_it_shows_alone_and_by_its_own_limit() -> None:
    eyes, grey = Eyes(), Material((), (b"\x7f",))
    (usual,) = assess(Assessing(eyes.pixels), grey)
    score = usual["category_scores"]["sexual"]
    assert 0 < score < 0.2
    assert usual["category_applied_input_types"] == {
        name: ["image"] if name == "sexual" else [] for name in usual["categories"]
    }
    assert assess(Assessing(eyes.pixels), grey, sexual=score)[0]["flagged"]
    assert not assess(Assessing(eyes.pixels), grey, sexual=None)[0]["flagged"]


def test_an_image_that_nothing_looks_at_is_refused_and_not_passed() -> None:
    with pytest.raises(Unreadable, match="cannot be looked at here"):
        assess(Assessing(), Material(("x",), (b"\x7f",)))


def test_a_category_can_be_told_and_never_flagged() -> None:
    material = Material(("you stupid fucking bitch",))
    (usual,) = assess(Assessing(), material)
    (quiet,) = assess(Assessing(), material, **dict.fromkeys(CATEGORIES))
    assert (usual["flagged"], quiet["flagged"]) == (True, False)
    assert quiet["category_scores"] == usual["category_scores"]
