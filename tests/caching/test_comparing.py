"""Whether two answers say the same."""

from typing import Any

import numpy as np
import pytest

from mainstay.caching.comparing import Comparer, NullComparer, Overlap

LONG = "The router has a small hole at its back. Push a pin into that hole and hold it until all lights blink."


class Alike:
    """An encoder that finds any two texts as alike as it is told."""

    def __init__(self, cosine: float) -> None:
        self.cosine = cosine

    def encode(self, texts: Any, pieces: int = 128) -> Any:
        rest = (1 - self.cosine**2) ** 0.5
        return np.array([[1, 0], [self.cosine, rest]], np.float32)


def overlap(cosine: float) -> Comparer:
    encoder: Any = Alike(cosine)
    return Overlap(encoder)


@pytest.mark.parametrize("comparer", [NullComparer(), overlap(0.1)])
def test_equal_answers_say_the_same(comparer: Comparer) -> None:
    assert comparer.apart("?", "It is  5.", "It is 5.") == 0.0


@pytest.mark.parametrize(
    ("fresh", "kept"),
    [("It is 5.", "It is 6."), ("Ask in Rome.", "Ask in Oslo."), ("Yes, it is safe.", "No, it is not safe, never.")],
)
def test_short_answers_that_differ_in_one_thing_do_not(fresh: str, kept: str) -> None:
    assert overlap(0.99).apart("?", fresh, kept) == 1.0
    assert NullComparer().apart("?", fresh, kept) == 1.0


def test_short_answers_in_other_words_do() -> None:
    assert overlap(0.9).apart("?", "Hold the small button.", "Press the small button down.") == 0.0


def test_long_answers_need_only_be_about_the_same() -> None:
    other = "At the back there is a hole: use a pin, push, and wait until the lights of the router blink 3 times."
    assert overlap(0.8).apart("?", LONG, other) == 0.0
    assert overlap(0.7).apart("?", LONG, other) == 1.0
    strange = (
        "Bread rises better with warm water, and sugar feeds yeast; knead dough for ten minutes, then let it rest."
    )
    assert overlap(0.8).apart("?", LONG, strange) == 1.0


def test_an_empty_answer_is_not_like_another() -> None:
    assert overlap(1.0).apart("?", "", LONG) == 1.0
