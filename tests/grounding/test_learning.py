"""Tests of learning the weight of meaning against words."""

import random

from mainstay.grounding.learning import Candidates, gather, learn
from mainstay.grounding.port import Access
from support.snapshots import Letters, MemorySnapshot, source


def _judged(count: int, words: float, meaning: float) -> list[Candidates]:
    """Return questions whose answer stands above the rest by some of the score of words and of meaning."""
    chance = random.Random(5)
    found = []
    for _ in range(count):
        lexical = {row: chance.random() for row in range(20)}
        dense = {row: chance.random() for row in range(20)}
        lexical[0] += words
        dense[0] += meaning
        found.append(Candidates(lexical, dense, {0: 1}))
    return found


def test_where_meaning_tells_and_words_do_not_its_weight_grows() -> None:
    """It gains on questions that were held out."""
    learned = learn(_judged(120, 0.0, 0.6), 0.3)
    assert learned.weight > 0.6
    assert learned.gain is not None
    assert learned.gain.low > 0


def test_where_words_tell_and_meaning_does_not_its_weight_falls() -> None:
    """As well."""
    assert learn(_judged(120, 0.6, 0.0), 0.6).weight < 0.4


def test_few_questions_leave_the_weight() -> None:
    """What fits them fits little else."""
    learned = learn(_judged(49, 0.0, 0.6), 0.3)
    assert (learned.weight, learned.gain, learned.questions) == (0.3, None, 49)


def test_questions_without_vectors_teach_nothing() -> None:
    """There is nothing to weigh."""
    words = [Candidates(one.lexical, {}, one.relevant) for one in _judged(80, 0.5, 0.5)]
    assert learn(words, 0.6).questions == 0


def test_where_nothing_tells_the_weight_stays_or_does_not_lose() -> None:
    """Chance on the one part is not taken for truth on the other."""
    learned = learn(_judged(100, 0.0, 0.0), 0.6)
    assert learned.weight == 0.6 or (learned.gain is not None and learned.gain.gain >= 0)


def test_candidates_are_gathered_from_a_snapshot() -> None:
    """Judgements name documents or passages; what was not found is remembered."""
    embedder = Letters()
    sources = [source("red car", "cars", 0), source("red bus", "buses", 0), source("blue car", "cars", 20)]
    snapshot = MemorySnapshot(sources, embedder, gone=frozenset({1}))
    found = gather(snapshot, "red car", {"cars": 2, "buses": 1, "cars:20": 3}, embedder, Access())
    assert set(found.lexical) == {0, 1, 2}
    assert set(found.dense) == {0, 1, 2}
    assert found.relevant == {0: 2, 2: 3}
    assert found.missed == (1,)
    assert found.same == {0: "cars", 2: "cars:20"}
