"""The verifier of claims: shortcuts, windows, and the shipped weights."""

import threading
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import StartError
from mainstay.encoders.wordpiece import open_pieces
from mainstay.grounding import verify
from mainstay.grounding.verify import GroundVerifier, is_installed, judge, numbers_lack, open_verifier

np = pytest.importorskip("numpy", reason="the extra 'knowledge' is not installed")

needs_weights = pytest.mark.skipif(not is_installed(), reason="onnxruntime or the weights are not there")

SOURCE = (
    "The trial had 412 patients. Aspirin lowered the risk of stroke by 22% in adults over 60. It did not help children."
)


class Session:
    """Answers each row with logits that a function makes of it; counts rows."""

    def __init__(self, logits: list[list[float]]) -> None:
        self.logits = logits
        self.rows: list[list[int]] = []

    def run(self, names: object, feed: dict[str, "np.ndarray"]) -> list["np.ndarray"]:
        first = len(self.rows)
        self.rows += [
            [int(one) for one in row[: int(mask.sum())]] for row, mask in zip(feed["ids"], feed["mask"], strict=True)
        ]
        return [np.array([self.logits[at % len(self.logits)] for at in range(first, len(self.rows))], np.float32)]


def scripted(*logits: list[float]) -> tuple[GroundVerifier, Session]:
    verifier, session = GroundVerifier(), Session(list(logits))
    verifier._session = session
    return verifier, session


@pytest.mark.parametrize(
    ("claim", "lacks"),
    [
        ("There were 412 patients.", False),
        ("There were 413 patients.", True),
        ("Risk fell by 22%.", False),
        ("Risk fell by 22.4%.", True),
        ("Risk fell by 2%.", True),
        ("It is a type 7 trial of IL-99.", False),
        ("Nothing is counted here.", False),
    ],
)
def test_a_number_of_a_claim_is_looked_for_in_the_evidence(claim: str, lacks: bool) -> None:
    assert numbers_lack(claim, SOURCE) is lacks


def test_numbers_may_be_rounded_scaled_or_spelt() -> None:
    assert not numbers_lack("Some 2.1 million people.", "It has 2,103,400 people.")
    assert not numbers_lack("There are 12 of them.", "Twelve of them were found.")
    assert not numbers_lack("The dose was 0.5 mg.", "The dose was 0·5 mg.")
    assert numbers_lack("Some 2.2 million people.", "It has 2,103,400 people.")


def test_a_sentence_that_stands_in_the_evidence_is_supported_without_the_net() -> None:
    verifier, session = scripted()
    (found,) = verifier.check([("aspirin lowered the risk of  stroke by 22% in adults over 60", SOURCE)])
    assert found.supported > 0.99
    assert not session.rows


def test_a_part_of_a_sentence_is_no_quote() -> None:
    verifier, session = scripted([0.0, 0.0, 5.0])
    (found,) = verifier.check([("Aspirin helps.", "It is not true that aspirin helps.")])
    assert found.unknown > 0.9
    assert session.rows


def test_support_is_doubted_where_a_number_is_nowhere_in_the_evidence() -> None:
    verifier, _ = scripted([5.0, 0.0, 0.0], [5.0, 0.0, 0.0])
    wrong, right = verifier.check([("It cut strokes by 35%.", SOURCE), ("It cut strokes by 22%.", SOURCE)])
    assert wrong.supported < 0.5 < right.supported
    assert wrong.supported + wrong.contradicted + wrong.unknown == pytest.approx(1)


def test_what_is_said_of_the_turned_claim_counts_turned_back() -> None:
    verifier, session = scripted([4.0, 0.0, 0.0], [4.0, 0.0, 0.0])
    (found,) = verifier.check([("Aspirin increases the risk of stroke.", SOURCE)])
    assert len(session.rows) == 2
    assert found.supported == pytest.approx(found.contradicted)


def test_a_number_before_the_claim_itself_does_not_matter() -> None:
    verifier, _ = scripted([5.0, 0.0, 0.0])
    (found,) = verifier.check([("There were 999 of them. Adults liked it.", SOURCE)])
    assert found.supported > 0.9


def test_of_long_evidence_support_and_contradiction_are_the_greatest_of_its_windows() -> None:
    evidence = " ".join(f"Sentence {number} tells of {'many things and ' * 12}more." for number in range(30))
    verifier, session = scripted(*[[0.0, 0.0, 3.0], [4.0, 0.0, 0.0], [0.0, 2.0, 0.0]] * 4)
    (found,) = verifier.check([("Nothing here fits.", evidence)])
    assert 1 < len(session.rows) <= verify._WINDOWS
    assert max(len(row) for row in session.rows) <= verify._BOTH
    assert found.supported > 0.9
    assert found.contradicted <= 1 - found.supported + 1e-6


def test_no_evidence_says_nothing_and_no_pairs_are_no_judgements() -> None:
    verifier, session = scripted()
    (found,) = verifier.check([("Water is wet today.", "")])
    assert found.unknown == 1
    assert list(verifier.check([])) == []
    assert not session.rows


@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(60, 100))
def test_windows_hold_every_sentence_and_fit(lengths: list[int], room: int) -> None:
    windows = verify._windows(lengths, room)
    assert {at for start, end in windows for at in range(start, end)} == set(range(len(lengths)))
    assert all(sum(lengths[start:end]) <= room for start, end in windows)
    assert all(one < other for one, other in pairwise(windows))


@given(st.text(max_size=300), st.text(max_size=2000))
def test_any_pair_becomes_rows_that_fit(claim: str, evidence: str) -> None:
    for row in verify._rows(claim, evidence):
        for numbers, first in filter(None, row):
            assert 2 <= first < len(numbers) <= verify._BOTH
            assert numbers[-1] == open_pieces().end


def test_weights_that_are_missing_or_not_the_known_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "find_spec", lambda name: None)
    with pytest.raises(StartError, match="not installed"):
        GroundVerifier().check([("Water is wet today.", "It rains.")])
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights/verifier.onnx").write_bytes(b"other")
    monkeypatch.setattr(verify, "find_spec", lambda name: object())
    monkeypatch.setattr(verify, "files", lambda name: tmp_path)
    pytest.importorskip("onnxruntime")
    with pytest.raises(StartError, match="damaged"):
        GroundVerifier().check([("Water is wet today.", "It rains.")])


@needs_weights
def test_the_shipped_weights_tell_support_from_contradiction_and_from_nothing() -> None:
    evidence = "The treatment increased survival in mice."
    good, bad, other = open_verifier().check(
        [
            ("The treatment increased survival.", evidence),
            ("The treatment decreased survival.", evidence),
            ("Nine of 450 bridges were built in Rome.", evidence),
        ]
    )
    assert good.supported > 0.7
    assert bad.contradicted > 0.7
    assert other.supported < 0.3
    assert judge("The treatment increased survival.", ["It rained all day in the city.", evidence])[0] == "supported"
    assert judge("The treatment decreased survival.", [evidence])[0] == "contradicted"


@needs_weights
def test_threads_share_one_verifier_and_get_the_same_answers() -> None:
    verifier = GroundVerifier()
    pairs = [("Aspirin reduces the risk of stroke.", SOURCE), ("Children were helped by it.", SOURCE)]
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(list(verifier.check(pairs)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for one in found:
        assert one == found[0]


@needs_weights
def test_wrong_known_answers_refuse_the_verifier(monkeypatch: pytest.MonkeyPatch) -> None:
    claim, evidence, which, _ = verify._KNOWN[0]
    monkeypatch.setattr(verify, "_KNOWN", ((claim, evidence, (which + 1) % 3, 0.9),))
    with pytest.raises(StartError, match="do not work on this processor"):
        GroundVerifier().check([(claim, evidence)])
