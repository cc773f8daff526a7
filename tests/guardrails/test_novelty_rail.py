"""Novelty as a rail: the file of a history, and the judge that reads it."""

import os
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="the extra 'guards' is not installed")

from mainstay.core.errors import StartError  # noqa: E402  # numpy may be missing
from mainstay.encoders.minilm import DIMENSIONS, is_installed  # noqa: E402
from mainstay.guardrails import novelty_rail  # noqa: E402
from mainstay.guardrails.novelty_rail import (  # noqa: E402
    HEAD,
    embed,
    fit_reference,
    open_novelty,
    open_reference,
    reference_path,
)

pytestmark = pytest.mark.skipif(not is_installed(), reason="the extra 'guards' is not installed")

STRANGE = "Write a sonnet about the fall of Constantinople"
TEXTS = [
    f"{ask} my {thing} of {month}?"
    for ask in ("Where is", "When did I pay", "Can you send me", "How much was", "Why do I see")
    for thing in ("invoice", "order", "bill", "receipt")
    for month in ("March", "April", "May", "June", "July", "August")
]


def vectors(count: int = 520, seed: int = 1):
    rows = np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def usual():
    return embed(TEXTS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return reference_path(tmp_path, "team/assistant")


def write(path: Path, rows) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(fit_reference(rows, "team/assistant", "file")[1])


def test_what_the_route_is_asked_passes_and_something_else_stands_out(path: Path, usual) -> None:
    write(path, usual)
    judge = open_novelty(path)
    like, other, nothing = judge.judge(["Where is my order of May?", STRANGE, " \n"])
    assert like[HEAD] < 0.9
    assert other[HEAD] >= judge.thresholds[HEAD]
    assert nothing[HEAD] == 0.0
    assert judge.judge([]) == []
    assert judge.heads == {HEAD}


def test_a_text_is_one_vector_however_long_and_whoever_stands_beside_it() -> None:
    long = "All is well. " * 300 + "And now for something completely different: a poem about boats."
    together = embed(["Hello", long, "", "Goodbye"])
    assert together.shape == (4, DIMENSIONS)
    assert np.allclose(np.linalg.norm(together[[0, 1, 3]], axis=1), 1)
    assert np.allclose(embed([long])[0], together[1], atol=1e-4)
    # The end counts.
    assert embed(["All is well. " * 305])[0] @ together[1] < 0.999


def test_the_file_holds_vectors_and_says_of_what(path: Path, usual) -> None:
    write(path, usual)
    data = path.read_bytes()
    assert b"invoice" not in data
    history = open_reference(path)
    assert history.size == len(TEXTS)
    assert history.notes["source"] == "file"
    assert history.notes["count"] == str(len(TEXTS))
    assert history.notes["made_at"].endswith("+00:00")


def test_a_history_that_is_missing_damaged_or_of_other_vectors_is_refused_in_words(path: Path) -> None:
    with pytest.raises(StartError, match="mainstay novelty fit team/assistant"):
        open_novelty(path)
    write(path, vectors())
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    with pytest.raises(StartError, match="damaged"):
        open_novelty(path)
    path.write_bytes(whole.replace(b"all-MiniLM-L6-v2", b"all-MiniLM-L6-v3"))
    with pytest.raises(StartError, match="another version"):
        open_novelty(path)


def test_a_threshold_that_the_history_can_never_reach_is_refused(path: Path) -> None:
    write(path, vectors(300))
    with pytest.raises(StartError, match=r"at most 0\.98"):
        open_novelty(path, 0.99)
    assert open_novelty(path, 0.98).thresholds[HEAD] == pytest.approx(1 - 1 / 61)
    write(path, vectors(520))
    assert open_novelty(path, 0.99).thresholds == {HEAD: 0.99}


def test_a_new_fit_is_taken_up_and_a_lost_file_changes_nothing(
    path: Path, usual, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(novelty_rail, "monotonic", lambda: now[0])
    write(path, vectors())
    judge = open_novelty(path)
    (before,) = judge.judge([STRANGE])
    path.unlink()
    now[0] += 60
    assert judge.judge([STRANGE]) == [before]
    write(path, usual)
    os.utime(path, ns=(1, 1))
    now[0] += 60
    (after,) = judge.judge([STRANGE])
    assert before[HEAD] < 0.9 < after[HEAD]
    path.write_bytes(b"damaged")
    now[0] += 60
    assert judge.judge([STRANGE]) == [after]
