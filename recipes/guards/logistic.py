"""Logistic regression, Platt's calibration, and the figures that judge both. Convex, so the answer has no seed."""

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["bootstrap", "expected_error", "fit", "platt"]

Floats = NDArray[np.float64]


def fit(
    inputs: NDArray[np.float32], labels: NDArray[np.bool_], weights: Floats, strength: float
) -> tuple[Floats, float]:
    """Return weights and bias of least ``|w|^2 / 2 + strength * sum(weight * loss)``."""
    x = torch.from_numpy(inputs.astype(np.float64))
    y = torch.from_numpy(labels.astype(np.float64))
    sizes = torch.from_numpy(weights)
    w = torch.zeros(x.shape[1], dtype=torch.float64, requires_grad=True)
    b = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS(
        [w, b], max_iter=200, tolerance_grad=1e-4, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        solver.zero_grad()
        each = torch.nn.functional.binary_cross_entropy_with_logits(x @ w + b, y, weight=sizes, reduction="sum")
        total = w.square().sum() / 2 + strength * each
        total.backward()
        return total

    solver.step(loss)
    return w.detach().numpy().copy(), float(b.detach())


def platt(scores: Floats, labels: NDArray[np.bool_], weights: Floats) -> tuple[float, float]:
    """Return slope and shift under which held-out scores are probabilities."""
    slope, shift = fit(scores[:, None].astype(np.float32), labels, weights, 1e6)
    return float(slope[0]), shift


def expected_error(probabilities: Floats, labels: NDArray[np.bool_], weights: Floats, bins: int = 10) -> float:
    """Return the expected calibration error: the gap of each of ``bins`` equal bins, weighed by what falls in it."""
    at = np.minimum((probabilities * bins).astype(int), bins - 1)
    gaps = [
        abs(np.average(probabilities[at == one], weights=weights[at == one])
            - np.average(labels[at == one], weights=weights[at == one])) * weights[at == one].sum()
        for one in np.unique(at)
    ]  # fmt: skip
    return float(sum(gaps) / weights.sum())


def bootstrap(groups: list[Floats], draws: int = 2000, seed: int = 0) -> tuple[float, float, float]:
    """Return the mean of the groups' means, and its 95 % interval when the rows of each group are drawn anew."""
    rng = np.random.default_rng(seed)
    means = [
        np.mean([group[rng.integers(len(group), size=len(group))].mean() for group in groups]) for _ in range(draws)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(np.mean([group.mean() for group in groups])), float(low), float(high)
