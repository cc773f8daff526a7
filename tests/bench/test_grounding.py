"""The bench of the verifier."""

from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="the extra 'knowledge' is not installed")

from bench.grounding import main  # noqa: E402  # numpy may be missing
from recipes.grounding.figures import auroc, balanced, error, interval  # noqa: E402  # numpy may be missing


def test_without_the_sets_it_says_which_are_missing(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"lacks scifact/claims_validation\.jsonl"):
        main(["--data", str(tmp_path)])


def test_the_area_counts_ties_as_half_and_its_interval_holds_it() -> None:
    scores, positive = np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, False, True, True])
    assert auroc(scores, positive) == pytest.approx(0.875)
    many = np.tile(scores, 20), np.tile(positive, 20)
    low, high = interval(80, lambda rows: auroc(many[0][rows], many[1][rows]), rounds=200)
    assert low < 0.875 < high


def test_balanced_accuracy_weighs_labels_alike_and_calibration_compares_shares() -> None:
    assert balanced(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 2])) == 0.5
    assert error(np.array([0.75, 0.75, 0.75, 0.75]), np.array([True, True, True, False])) == pytest.approx(0)
