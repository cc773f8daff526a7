"""The semantic tier of a route, with an encoder and a verifier that are known to the last digit."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from mainstay.caching.evidence import Evidence
from mainstay.caching.port import Asked, Near, Question, Questions
from mainstay.caching.semantic import Semantic
from mainstay.caching.semantic_config import SemanticConfig
from mainstay.caching.verifier import Read
from mainstay.caching.words import split
from mainstay.encoders.minilm import DIMENSIONS, Reading

HOUR = 3600.0


class Words:
    """An encoder in which texts are alike by the words that they share; each word has a direction of its own."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.read_texts: list[str] = []

    def _vector(self, text: str) -> Any:
        total = np.zeros(DIMENSIONS, np.float32)
        total[0] = 1.0 if self.broken else 1e-6
        for word in () if self.broken else split(text):
            seed = int.from_bytes(word.stem.encode()[:8].ljust(8), "big")
            total += np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32)
        return total / np.linalg.norm(total)

    def encode(self, texts: Any, pieces: int = 128) -> Any:
        return np.stack([self._vector(text) for text in texts])

    def read(self, text: str, pieces: int = 128) -> Reading:
        self.read_texts.append(text)
        rows = [1000 + len(word.lower) for word in split(text)][: pieces - 2]
        return Reading(self._vector(text), rows, np.ones((len(rows), DIMENSIONS), np.float32))


class Sure:
    """A verifier that is as sure of all as it is told to be."""

    known: tuple[()] = ()

    def __init__(self, sure: float = 1.0) -> None:
        self.sure = sure

    def read(self, reading: Reading) -> Read:
        return Read(np.asarray(reading.pieces, np.int32), np.zeros((len(reading.pieces), 1), np.float16))

    def same(self, first: Read, second: Read, similarity: float) -> float:
        return self.sure


class Letters:
    """A comparer for which only equal answers say the same."""

    def apart(self, question: str, fresh: str, kept: str) -> float:
        return float(fresh != kept)


@pytest.fixture(scope="module")
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def tier(
    thread: ThreadPoolExecutor,
    *,
    encoder: Any = None,
    sure: float = 1.0,
    draw: float = 0.99,
    evidence: Evidence | None = None,
    questions: Questions | None = None,
    **fields: Any,
) -> Semantic:
    config = SemanticConfig.model_validate({"similarity": 0.7, "start": "trust", "wait": "60s", **fields})
    evidence = evidence or Evidence(None, "", 0.05, config.error)
    verifier: Any = Sure(sure)
    reads: Any = encoder or Words()
    found = Semantic("r", config, reads, verifier, evidence, Letters(), thread, lambda: draw, questions)
    found.settle()
    return found


def asked(text: str, partition: bytes = b"p", similarity: float = 0.0) -> Asked:
    return Asked(text.encode() + b"\0" + partition, partition, text, "r", similarity)


def find(cache: Semantic, *args: Any, **more: Any) -> Near | None:
    return asyncio.run(cache.find(asked(*args, **more)))


def keep(cache: Semantic, *texts: str, partition: bytes = b"p") -> None:
    for text in texts:
        cache.kept(asked(text, partition), HOUR)
    cache.settle()


def test_the_same_question_in_other_words_is_found(thread: ThreadPoolExecutor) -> None:
    cache = tier(thread)
    keep(cache, "How do I reset the old router?", "Which bread needs no oven?")
    near = find(cache, "How can I reset the old router?")
    assert near is not None
    assert near.text == "How do I reset the old router?"
    assert near.key == asked("How do I reset the old router?").key
    assert 0.7 <= near.similarity <= 1
    assert not near.shadow
    assert cache.standing.hits == 1


def test_nothing_is_found_in_another_partition(thread: ThreadPoolExecutor) -> None:
    cache = tier(thread)
    keep(cache, "How do I reset the old router?")
    assert find(cache, "How can I reset the old router?", b"another tenant") is None


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("How do I reset the old router in 5 minutes?", "numbers"),
        ("How do I reset the old router Zyxel?", "names"),
        ("How do I not reset the old router?", "polarity"),
    ],
)
def test_what_differs_in_number_name_or_polarity_is_no_hit(thread: ThreadPoolExecutor, text: str, gate: str) -> None:
    cache = tier(thread)
    keep(cache, "How do I reset the old router?")
    assert find(cache, text) is None
    assert cache.standing.stopped == {gate: 1}


def test_what_the_verifier_doubts_is_no_hit(thread: ThreadPoolExecutor) -> None:
    cache = tier(thread, sure=0.89, certainty=0.9)
    keep(cache, "How do I reset the old router?")
    assert find(cache, "How can I reset the old router?") is None
    assert cache.standing.stopped == {"verifier": 1}


def test_two_neighbours_that_ask_different_things_give_no_hit(thread: ThreadPoolExecutor) -> None:
    cache = tier(thread)
    keep(cache, "How do I test the big old red pump?", "How do I confirm the big old red pump?")
    # It may stand for either; only one can be meant.
    assert find(cache, "How do I check the big old red pump?") is None
    assert cache.standing.stopped["margin"] == 1


def test_a_caller_can_ask_for_more_likeness_and_never_for_less(thread: ThreadPoolExecutor) -> None:
    cache = tier(thread)
    keep(cache, "How do I reset the old router?")
    text = "How can I reset the old router?"
    assert find(cache, text, similarity=0.1) is not None
    assert find(cache, text, similarity=0.999) is None
    assert find(cache, "What about bread, then?", similarity=0.001) is None


def test_an_answer_that_is_gone_is_not_found_again(thread: ThreadPoolExecutor) -> None:
    cache = tier(thread)
    keep(cache, "How do I reset the old router?", "Which bread needs no oven?")
    cache.forget(asked("How do I reset the old router?").key)
    cache.settle()
    assert find(cache, "How can I reset the old router?") is None
    cache.clear()
    cache.settle()
    assert find(cache, "What bread needs no oven?") is None


def test_until_it_has_proved_itself_every_hit_is_only_compared(thread: ThreadPoolExecutor) -> None:
    cache = tier(thread, start="prove", error="5%")
    keep(cache, "How do I reset the old router?")
    question = asked("How can I reset the old router?")
    for _ in range(100):
        near = asyncio.run(cache.find(question))
        assert near is not None
        if not near.shadow:
            break
        cache.compare(question, near, "Press it.", "Press it.")
    assert near is not None
    assert not near.shadow
    assert cache.standing.state == "on"
    assert cache.standing.upper <= 0.05


def test_it_switches_itself_off_when_it_is_wrong_too_often_and_can_be_turned_on_again(
    thread: ThreadPoolExecutor,
) -> None:
    cache = tier(thread)
    keep(cache, "How do I reset the old router?")
    question = asked("How can I reset the old router?")
    near = asyncio.run(cache.find(question))
    assert near is not None
    for _ in range(30):
        cache.compare(question, near, "Press it.", "Throw it away.")
    cache.settle()
    assert cache.standing.state == "off"
    assert asyncio.run(cache.find(question)) is None
    cache.reset()
    cache.settle()
    assert asyncio.run(cache.find(question)) is not None


def test_a_share_of_the_hits_is_compared(thread: ThreadPoolExecutor) -> None:
    cache = tier(thread, draw=0.04, shadow="5%")
    keep(cache, "How do I reset the old router?")
    near = find(cache, "How can I reset the old router?")
    assert near is not None
    assert near.shadow
    assert (cache.standing.shadows, cache.standing.hits) == (1, 0)


def test_an_encoder_for_which_all_is_alike_finds_nothing(thread: ThreadPoolExecutor) -> None:
    cache = tier(thread, encoder=Words(broken=True))
    assert "alike" in cache.broken
    keep(cache, "How do I reset the old router?")
    assert find(cache, "Anything at all") is None
    assert cache.standing.state == "off"


def test_an_encoder_that_breaks_switches_the_tier_off_and_breaks_no_call(thread: ThreadPoolExecutor) -> None:
    encoder = Words()
    cache = tier(thread, encoder=encoder)
    keep(cache, "How do I reset the old router?")

    def fail(text: str, pieces: int = 128) -> Reading:
        raise RuntimeError("no memory")

    encoder.read = fail  # type: ignore[method-assign] # a fault that comes up while it works
    assert find(cache, "How can I reset the old router?") is None
    assert cache.broken == "RuntimeError"


def test_a_text_longer_than_the_encoder_reads_is_left_alone(thread: ThreadPoolExecutor) -> None:
    cache = tier(thread)
    long = "How do I reset the old router " + "and then also the next one " * 40
    keep(cache, long)
    assert find(cache, long + "or not") is None
    keep(cache, "x" * 5000)
    assert cache.standing.entries == 0


def test_a_request_does_not_wait_for_a_thread_that_is_busy(thread: ThreadPoolExecutor) -> None:
    cache = tier(thread, wait="1ms")
    keep(cache, "How do I reset the old router?")
    free = threading.Event()
    thread.submit(free.wait, 60)
    try:
        assert find(cache, "How can I reset the old router?") is None
    finally:
        free.set()
    assert cache.standing.late == 1


def test_a_partition_that_holds_nothing_costs_no_reading(thread: ThreadPoolExecutor) -> None:
    encoder = Words()
    cache = tier(thread, encoder=encoder)
    assert find(cache, "How can I reset the old router?") is None
    assert encoder.read_texts == []


class Board:
    """Questions that workers of one process tell each other."""

    def __init__(self) -> None:
        self.told: list[Question] = []
        self.left: set[bytes] | None = None

    def reader(self) -> "Questions":
        return _Reader(self)


class _Reader:
    def __init__(self, board: Board) -> None:
        self._board = board
        self._heard = 0

    def tell(self, question: Question, owner: tuple[str, str]) -> None:
        self._board.told.append(question)

    def heard(self) -> tuple[list[Question], set[bytes] | None]:
        new, self._heard = self._board.told[self._heard :], len(self._board.told)
        left = self._board.left
        return [one for one in new if left is None or one.key in left], left


def test_what_one_worker_was_asked_another_finds(thread: ThreadPoolExecutor) -> None:
    board = Board()
    one, other = tier(thread, questions=board.reader()), tier(thread, questions=board.reader())
    keep(one, "How do I reset the old router?")
    near = find(other, "How can I reset the old router?")
    assert near is not None
    assert near.key == asked("How do I reset the old router?").key
    late = tier(thread, questions=board.reader())
    assert late.standing.entries == 1


def test_what_was_dropped_is_near_in_no_worker(thread: ThreadPoolExecutor) -> None:
    board = Board()
    cache = tier(thread, questions=board.reader())
    keep(cache, "How do I reset the old router?", "Which bread needs no oven?")
    board.left = {asked("Which bread needs no oven?").key}
    assert find(cache, "How can I reset the old router?") is None
    assert cache.standing.entries == 1


def test_readings_of_another_model_are_not_compared(thread: ThreadPoolExecutor) -> None:
    board = Board()
    keep(tier(thread, questions=board.reader()), "How do I reset the old router?")
    (told,) = board.told
    board.told = [replace(told, rules="another"), replace(told, key=b"k", reading=b"torn")]
    assert tier(thread, questions=board.reader()).standing.entries == 0


def test_a_tier_that_is_switched_off_or_begun_anew_elsewhere_knows_it_at_its_next_use(
    thread: ThreadPoolExecutor, tmp_path: Path
) -> None:
    def evidence() -> Evidence:
        return Evidence(tmp_path / "r.jsonl", "", 0.05, 0.01)

    cache = tier(thread, evidence=evidence())
    keep(cache, "How do I reset the old router?")
    assert find(cache, "How can I reset the old router?") is not None
    evidence().halt("it lies")
    assert find(cache, "How can I reset the old router?") is None
    assert (cache.standing.state, cache.standing.reason) == ("off", "switched off: it lies")
    evidence().resume()
    assert find(cache, "How can I reset the old router?") is not None
