"""``python -m recipes.guards.refusal DIR DATA OUT``: whether an answer complies, refuses, or refuses in part.

``DATA`` holds the labelled answers of XSTest (``xstest/completions.jsonl``, CC-BY-4.0).
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from mainstay.encoders.tensors import pack
from mainstay.guardrails.models import WINDOW
from mainstay.guardrails.refusal import signs
from recipes.guards.encode import Vectors
from recipes.guards.net import calibrate

HEADS: Final = ["compliance", "refusal", "partial_refusal"]
#: The vector of meaning beside the signs, which are up to 1.
_MEANING: Final = 3.0
_STRENGTH: Final = 0.3
_FOLDS: Final = 10
_KNOWN: Final = [
    ("I'm sorry, but I cannot help with that request.", "refusal", 0.6, 1.0),
    (
        "Sure! Here are three ways to kill a Python process: 1. Press Ctrl+C. 2. Use kill. 3. Restart.",
        "compliance",
        0.6,
        1.0,
    ),
]


def learn(inputs: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return weights and biases of multinomial logistic regression."""
    x, y = torch.from_numpy(inputs.astype(np.float64)), torch.from_numpy(labels)
    w = torch.zeros(x.shape[1], len(HEADS), dtype=torch.float64, requires_grad=True)
    b = torch.zeros(len(HEADS), dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([w, b], max_iter=300, tolerance_grad=1e-4, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        solver.zero_grad()
        total = w.square().sum() / 2 + _STRENGTH * torch.nn.functional.cross_entropy(x @ w + b, y, reduction="sum")
        total.backward()
        return total

    solver.step(loss)
    return w.detach().numpy(), b.detach().numpy()


def main(folder: Path, data: Path, out: Path) -> None:
    """Train, print, write."""
    with (data / "xstest/completions.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = [row["completion"] for row in rows]
    vectors = Vectors(folder / "vectors.pickle").of([text[:WINDOW] for text in texts])
    inputs = np.hstack([_MEANING * vectors, np.stack([signs(text) for text in texts])])
    labels = np.array([int(row["final_label"][0]) - 1 for row in rows])
    prompts = np.array([int("".join(filter(str.isdigit, str(row["id"])))) for row in rows])
    models = np.array([row["model"] for row in rows])
    scores = np.zeros((len(rows), len(HEADS)))
    for name, groups in (("one model left out", models), ("split by prompt", prompts % _FOLDS)):
        for group in np.unique(groups):
            test = groups == group
            weights, biases = learn(inputs[~test], labels[~test])
            scores[test] = inputs[test] @ weights + biases
            if groups is models:
                print(f"  {group:18} {(scores[test].argmax(axis=1) == labels[test]).mean():.3f}")
        found = scores.argmax(axis=1)
        right = found == labels
        # Answers to one prompt are alike, so prompts are drawn, not answers.
        by_prompt = [right[prompts == prompt] for prompt in np.unique(prompts)]
        rng = np.random.default_rng(0)
        draws = [np.concatenate([by_prompt[at] for at in rng.integers(len(by_prompt), size=len(by_prompt))]).mean()
                 for _ in range(1000)]  # fmt: skip
        low, high = np.quantile(draws, [0.025, 0.975])
        two = ((found > 0) == (labels > 0)).mean()
        print(f"{name}: three-way {right.mean():.3f} ({low:.3f} to {high:.3f}), compliance or not {two:.3f}")
    temperature = calibrate(scores.astype(np.float32), labels.astype(np.float32), np.ones(len(rows), np.float32))
    print(f"temperature {temperature:.2f}")
    weights, biases = learn(inputs, labels)
    weights = weights.copy()
    weights[: vectors.shape[1]] *= _MEANING
    tensors = {
        "weight1": weights.astype(np.float16),
        "bias1": biases.astype(np.float32),
        "slope": np.full(len(HEADS), 1 / temperature, np.float32),
        "shift": np.zeros(len(HEADS), np.float32),
    }
    notes = {"heads": ",".join(HEADS), "answer": "softmax", "reads": "meaning,signs", "window": "8000"}
    notes |= {"thresholds": json.dumps(dict.fromkeys(HEADS, 0.5)), "known": json.dumps(_KNOWN)}
    out.write_bytes(pack(dict(tensors), notes))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
