"""The figures of the guards' benchmark."""

import sys
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="the extra 'guards' is not installed")

from bench.guards import auroc, main, wilson  # noqa: E402  # numpy may be missing


def test_the_interval_of_a_share_is_that_of_wilson() -> None:
    low, high = wilson(29, 971)
    assert (round(low, 4), round(high, 4)) == (0.0209, 0.0426)
    assert wilson(0, 10)[0] == pytest.approx(0)


def test_the_area_counts_pairs_and_halves_ties() -> None:
    assert auroc(np.array([1.0, 2.0]), np.array([2.0, 3.0])) == (1 + 0.5 + 1 + 1) / 4


def test_a_folder_without_the_sets_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bench.guards", "--data", str(tmp_path)])
    assert main() == 2
    assert "lacks wildguard-benign/prompts.jsonl" in capsys.readouterr().err
