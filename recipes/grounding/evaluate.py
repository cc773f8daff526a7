"""Calibrate a trained net and choose thresholds: ``python -m recipes.grounding.evaluate DATA NET.pt``.

Prints the temperature for ``export`` and, on the held-out documents of the training sets, precision and recall at each
threshold. SciFact's validation claims are not read: ``bench.grounding`` measures on them.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from recipes.grounding.data import Pair, read
from recipes.grounding.figures import auroc, balanced
from recipes.grounding.net import open_net
from recipes.grounding.sets import CONTRADICTED, SUPPORTED, best
from recipes.grounding.train import judged

__all__ = ["temperature"]


def temperature(found: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """Return what to divide logits by so that their log loss is least."""
    losses = []
    grid = np.exp(np.linspace(np.log(0.4), np.log(4), 100))
    for divisor in grid:
        scaled = found / divisor
        scaled = scaled - scaled.max(1, keepdims=True)
        chances = scaled - np.log(np.exp(scaled).sum(1, keepdims=True))
        losses.append(-chances[np.arange(len(labels)), labels].sum())
    return float(grid[int(np.argmin(losses))])


def main() -> None:
    """Print temperature and thresholds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("net", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--made", type=int, default=300, help="generated pairs beside the labelled ones")
    given = parser.parse_args()
    torch.set_num_threads(1)
    _, book = read(given.data, given.seed)
    pairs = []
    for one in book.gold:
        text = book.texts[one.document]
        evidence = " ".join(text[at] for at in one.sentences or best(one.claim, text))
        pairs.append(Pair(one.claim, evidence, one.label, kind="gold"))
    count = len(pairs)
    pairs += [book.draw(0) for _ in range(given.made)]
    labels = np.array([pair.label for pair in pairs])
    found = judged(open_net(given.net), [(pair.claim, pair.evidence) for pair in pairs])
    divisor = temperature(found[:count], labels[:count])
    print(f"temperature {divisor:.3f}, on labelled pairs; {temperature(found, labels):.3f} on all")
    for title, rows in (("labelled", slice(0, count)), ("generated", slice(count, None))):
        some = np.exp((found[rows] - found[rows].max(1, keepdims=True)) / divisor)
        some, right = some / some.sum(1, keepdims=True), labels[rows]
        ratio = some[:, 0] / (some[:, 0] + some[:, 1])
        firm, rest = right != 2, right != CONTRADICTED
        print(
            f"{title}: s/c {auroc(ratio[firm], right[firm] == SUPPORTED):.3f} s/n"
            f" {auroc(some[rest, 0], right[rest] == SUPPORTED):.3f} balanced {balanced(some.argmax(1), right):.3f}"
        )
        for which in (SUPPORTED, CONTRADICTED):
            for limit in (0.4, 0.5, 0.55, 0.6, 0.7, 0.8):
                hits = some[:, which] >= limit
                precision = (right[hits] == which).mean() if hits.any() else float("nan")
                print(f"  label {which} at {limit}: precision {precision:.3f} recall {hits[right == which].mean():.3f}")


if __name__ == "__main__":
    main()
