"""Verdicts in the form of the wire."""

import pytest

pytest.importorskip("numpy", reason="the extra 'guards' is not installed")

from mainstay.guardrails.encoder import is_installed  # numpy may be missing
from mainstay.guardrails.moderation import Moderator

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
