"""Random answers, cut at random: every dialect cites the same in a stream as in a whole answer."""

import random
from collections.abc import Sequence
from typing import Any

import pytest

from support.citing import DIALECTS, answering, run, saying, streamed, whole

SAYINGS = [
    "Refunds take 14 days [1]. ", "The shop opens at nine [2][3].", " Cats are allowed [3], and dogs have to wait [9].",
    " Élise 🙂 likes it [1, 2].", "\n\n- On Sundays it stays closed. [2]\n", "`a[1]` is code. ",
    "Cats are allowed in the shop. ", "Nothing of this is known.", "```\nx[2]\n```\n", " Why [1]?", "\n", " [1]",
    "| a | b |\n|---|---|\n| Refunds | 14 days [1] |\n", "see [1](https://a.example) or [x][1]. ", "[source 2] ",
]  # fmt: skip


def cut(text: str, draw: random.Random) -> Sequence[str]:
    """Return ``text`` in pieces of up to so many characters."""
    most = draw.choice((1, 3, 8, 40))
    pieces: list[str] = []
    while text:
        size = draw.randint(1, most)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def replay(draw: random.Random, names: Sequence[str]) -> int:
    """Hold one random answer in a random cutting against the same answer whole; return how many citations it has."""
    text = "".join(draw.choices(SAYINGS, k=draw.randint(1, 5)))
    keep = draw.random() < 0.5
    stream: Any = run(streamed(answering(keep=keep), saying(cut(text, draw))))
    complete: Any = run(whole(answering(keep=keep), saying([text])))
    found = 0
    for name in names:
        said, told = DIALECTS[name][1](stream), DIALECTS[name][0](complete)
        assert said == told, (name, text)
        found = len(told.citations)
    return found


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_a_stream_cites_what_a_whole_answer_cites(name: str) -> None:
    draw = random.Random(f"some {name}")
    assert sum(replay(draw, [name]) for _ in range(250)) > 250


@pytest.mark.slow
def test_a_stream_cites_what_a_whole_answer_cites_in_ten_thousand_replays_of_each_dialect() -> None:
    draw = random.Random("ten thousand")
    assert sum(replay(draw, sorted(DIALECTS)) for _ in range(10_000)) > 10_000
