"""Hashed features as torch reads them, and the temperature of exclusive answers.

Needs the package ``torch`` (any build); nothing of it is needed where the weights are used.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mainstay.guardrails.hashed import hashed

__all__ = ["Bags", "calibrate"]


@dataclass(frozen=True)
class Bags:
    """The hashed features of many texts, one after another; row ``i`` is ``flat[starts[i] : starts[i + 1]]``."""

    flat: Tensor
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, texts: list[str]) -> Self:
        """Hash texts."""
        rows = [hashed(text).astype(np.int32) for text in texts]
        starts = np.cumsum([0, *(len(row) for row in rows)])
        return cls(torch.from_numpy(np.concatenate(rows)), starts)

    def take(self, rows: NDArray[np.int64], drop: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """Return features, offsets and weights of some rows, as ``EmbeddingBag`` wants them; some features dropped."""
        pieces = [self.flat[self.starts[row] : self.starts[row + 1]] for row in rows]
        if drop:
            pieces = [piece[torch.rand(len(piece)) >= drop] for piece in pieces]
        counts = torch.tensor([len(piece) for piece in pieces])
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)[:-1]])
        weights = counts.clamp(min=1).float().rsqrt().repeat_interleave(counts)
        return torch.cat(pieces), offsets.int(), weights


def calibrate(logits: NDArray[np.float32], labels: NDArray[np.float32], weights: NDArray[np.float32]) -> float:
    """Return the temperature under which held-out logits have the least log loss (a search over a fine grid)."""
    grid = np.exp(np.linspace(np.log(0.3), np.log(8), 120))
    if logits.ndim == 2:
        losses = []
        for temperature in grid:
            scaled = logits / temperature
            top = scaled.max(axis=1)
            total = np.log(np.exp(scaled - top[:, None]).sum(axis=1)) + top
            losses.append(((total - scaled[np.arange(len(labels)), labels.astype(int)]) * weights).sum())
        return float(grid[int(np.argmin(losses))])
    signs = np.where(labels > 0.5, 1, -1)
    return float(grid[int(np.argmin([(np.logaddexp(0, -signs * logits / t) * weights).sum() for t in grid]))])
