"""The bench of the verifier."""

import random
import re
from pathlib import Path

import pytest

np = pytest.importorskip("numpy", reason="the extra 'knowledge' is not installed")

from bench.grounding import main  # noqa: E402  # numpy may be missing
from recipes.grounding.figures import auroc, balanced, error, interval  # noqa: E402  # numpy may be missing
from recipes.grounding.grammar import Grammar  # noqa: E402  # numpy may be missing
from recipes.grounding.lexicon import exchanges, reworded  # noqa: E402  # numpy may be missing


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


def test_the_grammar_spells_out_every_template_it_draws() -> None:
    grammar = Grammar([("the kinase", "the growth of cells")], ["A real sentence."], random.Random(3))
    drawn = [grammar.draw() for _ in range(4000)]
    assert {relation for *_, relation in drawn} == set(grammar.rules)
    left = [
        text for claim, evidence, *_ in drawn for text in (claim, evidence) if re.search(r"[{}\[\]|~@]|<[a-z]", text)
    ]
    assert left == []


def test_a_claim_of_the_grammar_does_not_tell_its_label() -> None:
    grammar = Grammar([], [], random.Random(4))
    drawn = [grammar.draw() for _ in range(6000)]
    for word in ("not", "increases", "reduces"):
        labels = [label for claim, _, label, _ in drawn if word in claim.split()]
        assert 0.7 < labels.count(0) / labels.count(1) < 1.4


@pytest.mark.parametrize(
    ("text", "turned"),
    [
        ("Aspirin reduces pain.", "-"),
        ("Pain was reduced by aspirin.", "-"),
        ("A rise in pain was seen.", "+"),
        ("The gene is required for growth.", "+"),
    ],
)
def test_a_word_of_direction_is_exchanged_within_its_pole_or_turned(text: str, turned: str) -> None:
    rng = random.Random(5)
    (*_, pole) = exchanges(text)[0]
    assert "+-"[pole] == turned
    for _ in range(20):
        kept, other = exchanges(reworded(text, rng, share=1.0)), exchanges(reworded(text, rng, 0))
        assert kept[0][3] == pole
        assert other[0][3] == 1 - pole
