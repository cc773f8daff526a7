"""``python -m bench.grounding --data DIR``: how well our verifier tells what evidence supports, and its cost.

``DIR`` holds the sets scifact and climate-fever. SciFact's validation pairs: evidence is the rationale; where an
abstract says nothing of a claim, its three sentences with the most of the claim's words. None of it was learnt from.
Edits are made of sentences of abstracts that the verifier never saw. With ``--net FILE`` (what
``recipes.grounding.train`` saved; needs torch) the weights as shipped are compared with those they were rounded from.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from recipes.grounding.data import shortened
from recipes.grounding.edits import EDITS, name, names_of
from recipes.grounding.figures import auroc, balanced, error, interval
from recipes.grounding.sets import CONTRADICTED, SUPPORTED, UNKNOWN, Gold, best, train_documents, validation

from mainstay.grounding.verify import CONTRADICTED_AT, SUPPORTED_AT, GroundVerifier, is_installed, open_verifier

__all__ = ["main", "report"]

_SETS = ("scifact/claims_validation.jsonl", "scifact/corpus.jsonl.gz", "climate-fever/pairs.jsonl")
_CLIMATE = {"SUPPORTS": SUPPORTED, "REFUTES": CONTRADICTED, "NOT_ENOUGH_INFO": UNKNOWN}
Chances = NDArray[np.float64]
Labels = NDArray[np.int64]


def _judge(verifier: GroundVerifier, pairs: Sequence[tuple[str, str]]) -> Chances:
    found = verifier.check(pairs)
    return np.array([(one.supported, one.contradicted, one.unknown) for one in found], np.float64)


def _area(title: str, scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> None:
    def again(rows: NDArray[np.int64]) -> float:
        return float(auroc(scores[rows], positive[rows]))

    low, high = interval(len(scores), again)
    print(f"  {title:44}{auroc(scores, positive):.3f} ({low:.3f} to {high:.3f}), {len(scores)} pairs")


def said(chances: Chances) -> Labels:
    """Return the verdict at the thresholds, as a label."""
    verdict = np.where(chances[:, 1] >= CONTRADICTED_AT, CONTRADICTED, UNKNOWN)
    found: Labels = np.where(chances[:, 0] >= SUPPORTED_AT, SUPPORTED, verdict)
    return found


def report(title: str, chances: Chances, labels: Labels) -> None:
    """Print the figures of one set of pairs."""
    print(title)
    ratio = chances[:, 0] / np.maximum(chances[:, 0] + chances[:, 1], 1e-9)
    some, rest = labels != UNKNOWN, labels != CONTRADICTED
    _area("AUROC supported against contradicted", ratio[some], labels[some] == SUPPORTED)
    _area("AUROC supported against not enough", chances[rest, 0], labels[rest] == SUPPORTED)
    verdicts = said(chances)

    def again(rows: NDArray[np.int64]) -> float:
        return float(balanced(verdicts[rows], labels[rows]))

    low, high = interval(len(labels), again)
    print(f"  {'balanced accuracy of three verdicts':44}{balanced(verdicts, labels):.3f} ({low:.3f} to {high:.3f})")
    for which, word in ((SUPPORTED, "supported"), (CONTRADICTED, "contradicted")):
        flagged = verdicts == which
        right = (labels[flagged] == which).mean() if flagged.any() else float("nan")
        found = (verdicts[labels == which] == which).mean()
        print(f"  {'verdict ' + word:44}precision {right:.3f}, recall {found:.3f}")
    print(f"  {'calibration error of support':44}{error(chances[:, 0], labels == SUPPORTED):.3f}")


def _scifact(gold: Sequence[Gold], texts: dict[int, list[str]]) -> tuple[list[tuple[str, str]], Labels]:
    pairs = []
    for one in gold:
        text = texts[one.document]
        pairs.append((one.claim, " ".join(text[at] for at in one.sentences or best(one.claim, text))))
    return pairs, np.array([one.label for one in gold])


def _edits(verifier: GroundVerifier, texts: dict[int, list[str]], unseen: Sequence[int], most: int) -> None:
    rng = random.Random(3)
    print("edits of a sentence, its own abstract as evidence: AUROC of support, as it stands against edited")
    known = [word for key in unseen for word in names_of(" ".join(texts[key]))]
    for kind in (*EDITS, "name"):
        rows: list[tuple[str, str]] = []
        for key in rng.sample(list(unseen), len(unseen)):
            for at, sentence in enumerate(texts[key]):
                claim = shortened(sentence, rng)
                new = name(claim, rng, rng.sample(known, 3)) if kind == "name" else EDITS[kind](claim, rng)
                if new is not None and 40 < len(sentence) < 300 and len(rows) < 2 * most:
                    evidence = " ".join(texts[key][max(0, at - 1) : at + 2])
                    rows += [(claim, evidence), (new, evidence)]
        if len(rows) >= 20:
            chances = _judge(verifier, rows)
            _area(kind, chances[:, 0], np.arange(len(rows)) % 2 == 0)


def _climate(path: Path, most: int) -> tuple[list[tuple[str, str]], Labels]:
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows = random.Random(3).sample(rows, min(most, len(rows)))
    return [(row["claim"], row["evidence"]) for row in rows], np.array([_CLIMATE[row["label"]] for row in rows])


def _cost(verifier: GroundVerifier, pairs: Sequence[tuple[str, str]]) -> None:
    times = []
    for pair in pairs:
        begun = time.perf_counter()
        verifier.check([pair])
        times.append((time.perf_counter() - begun) * 1000)
    low, middle, high = np.percentile(times, [5, 50, 95])
    print(f"one pair, one thread: {middle:.1f} ms in the middle, {low:.1f} to {high:.1f} ms (5 to 95%)")


def _rounding(verifier: GroundVerifier, path: Path, pairs: Sequence[tuple[str, str]], labels: Labels) -> None:
    from recipes.grounding.net import open_net
    from recipes.grounding.train import judged

    exact = judged(open_net(path), pairs)
    exact = np.exp((exact - exact.max(1, keepdims=True)) / verifier.temperature)
    report("the same pairs, weights in 32 bits and no shortcuts", exact / exact.sum(1, keepdims=True), labels)


def main(arguments: list[str] | None = None) -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.grounding", description=__doc__, allow_abbrev=False)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--net", type=Path, help="the net that the weights were rounded from")
    parser.add_argument("--climate", type=int, default=2000, help="pairs of climate-fever that are judged")
    parser.add_argument("--edits", type=int, default=100, help="edits of each kind")
    given = parser.parse_args(arguments)
    missing = [one for one in _SETS if not (given.data / one).is_file()]
    if missing:
        sys.exit(f"--data {given.data} lacks {', '.join(missing)}; these sets are not part of the repository")
    if not is_installed():
        sys.exit("claims cannot be checked here: install onnxruntime, and the verifier's weights")
    verifier = open_verifier()
    gold, texts = validation(given.data)
    pairs, labels = _scifact(gold, texts)
    chances = _judge(verifier, pairs)
    report("SciFact, validation", chances, labels)
    trained = train_documents(given.data)
    fresh = np.array([one.document not in trained for one in gold])
    report("SciFact, validation, abstracts that no train claim cites", chances[fresh], labels[fresh])
    whole = [(one.claim, " ".join(texts[one.document])) for one in gold]
    report("SciFact, validation, whole abstracts as evidence", _judge(verifier, whole), labels)
    unseen = sorted({one.document for one in gold} - trained)
    _edits(verifier, texts, unseen, given.edits)
    pairs_of, labels_of = _climate(given.data / "climate-fever/pairs.jsonl", given.climate)
    report(f"CLIMATE-FEVER, {len(pairs_of)} pairs", _judge(verifier, pairs_of), labels_of)
    _cost(verifier, pairs[:150])
    if given.net is not None:
        _rounding(verifier, given.net, pairs, labels)


if __name__ == "__main__":
    main()
