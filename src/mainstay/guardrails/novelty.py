"""How unlike its route's history a request is, from the vectors of what came before.

Two distances on frozen vectors of length 1: to the nearest of them (Sun et al. 2022, "Out-of-distribution detection
with deep nearest neighbors"), and Mahalanobis' with a covariance shrunk by Chen et al. 2010 ("OAS"). Both together
become conformal p-values, ``(1 + #{s_i >= s}) / (n + 1)``, on requests that were held back from the fit: of requests
like the history at most a share ``a`` has a p-value of at most ``a``, whatever their distribution. It knows no encoder
and does no I/O.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Self

from mainstay.encoders.tensors import pack, unpack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]
    Scores = NDArray[np.float64]

__all__ = ["LEAST", "MOST", "Novelty", "conformal", "shrunk_precision"]

#: Requests that a history needs before it says anything.
LEAST: Final = 100
#: Requests that are kept of a longer history, drawn evenly: 30 MB and a millisecond a look.
MOST: Final = 20_000
#: One request in so many is held back to calibrate on.
_HELD_BACK: Final = 5
#: How many of the nearest are averaged. Histories repeat themselves, so few are enough.
_NEAREST: Final = 4
#: Shares of the two distances in the score; both are first divided by their spread over the calibration.
_KNN_SHARE: Final = 0.7


def conformal(calibration: "Scores", scores: "Scores") -> "Scores":
    """Return the p-value of each score among the sorted scores of ``calibration``; high scores are unusual."""
    import numpy as np

    above = len(calibration) - np.searchsorted(calibration, scores, side="left")
    result: Scores = (1 + above) / (len(calibration) + 1)
    return result


def shrunk_precision(vectors: "Vectors") -> "Vectors":
    """Return the inverse of the covariance of centred ``vectors``, shrunk towards a sphere (OAS, equation 23)."""
    import numpy as np

    count, size = vectors.shape
    sample = (vectors.T @ vectors).astype(np.float64) / count
    trace, squares = np.trace(sample), float((sample**2).sum())
    above = (1 - 2 / size) * squares + trace**2
    below = (count + 1 - 2 / size) * (squares - trace**2 / size)
    share = 1.0 if below <= 0 else min(1.0, above / below)
    shrunk = (1 - share) * sample + share * trace / size * np.eye(size)
    result: Vectors = np.linalg.inv(shrunk).astype(np.float32)
    return result


class Novelty:
    """A history that was learnt; made by :meth:`fit` or :meth:`load`. Safe to share between threads."""

    def __init__(self, parts: "dict[str, NDArray[np.generic]]", notes: Mapping[str, str] | None = None) -> None:
        import numpy as np

        #: What whoever wrote it says of it.
        self.notes = notes or {}
        self._parts = parts
        self._history = np.asarray(parts["history"], np.float32)
        self._mean = np.asarray(parts["mean"], np.float32)
        self._precision = np.asarray(parts["precision"], np.float32)
        self._scales = np.asarray(parts["scales"], np.float64)
        self._calibration = np.asarray(parts["calibration"], np.float64)

    @classmethod
    def fit(cls, vectors: "Vectors", seed: int = 0) -> Self:
        """Learn a history of vectors of length 1, in rows; most of it to compare with, the rest to calibrate on.

        Raises:
            ValueError: there are fewer than ``LEAST`` of them.
        """
        import numpy as np

        if len(vectors) < LEAST:
            raise ValueError(f"a history needs at least {LEAST} requests, and this one has {len(vectors)}")
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(vectors))[: MOST * _HELD_BACK // (_HELD_BACK - 1)]
        held, kept = order[: len(order) // _HELD_BACK], order[len(order) // _HELD_BACK :]
        history = np.asarray(vectors[kept], np.float32)
        mean = history.mean(axis=0)
        parts: dict[str, NDArray[np.generic]] = {
            "history": history.astype(np.float16),
            "mean": mean,
            "precision": shrunk_precision(history - mean),
            "scales": np.array([[0.0, 0.0], [1.0, 1.0]]),
            "calibration": np.zeros(0),
        }
        raw = cls(parts)._distances(np.asarray(vectors[held], np.float32))
        parts["scales"] = np.stack([raw.mean(axis=0), raw.std(axis=0) + 1e-9])
        parts["calibration"] = np.sort(cls(parts).scores(np.asarray(vectors[held], np.float32)))
        return cls(parts)

    @classmethod
    def load(cls, data: bytes) -> Self:
        """Read what :meth:`dump` wrote.

        Raises:
            ValueError: it is damaged.
        """
        tensors, notes = unpack(data)
        try:
            return cls(tensors, notes)
        except KeyError as missing:
            raise ValueError(f"the file of a history lacks {missing}") from None

    def dump(self, notes: Mapping[str, str] | None = None) -> bytes:
        """Return it as bytes in the safetensors format, about 770 bytes for each request of the history.

        ``notes`` take the place of those it has.
        """
        return pack(self._parts, {**(self.notes if notes is None else notes), "kind": "novelty"})

    @property
    def size(self) -> int:
        """How many requests it was fitted on, those that calibrate included."""
        return len(self._history) + len(self._calibration)

    @property
    def floor(self) -> float:
        """The smallest p-value there can be; a rail that asks for less never finds anything."""
        return 1 / (len(self._calibration) + 1)

    def scores(self, vectors: "Vectors") -> "Scores":
        """Return how unusual each vector is; 0 is the middle of the history, and 1 one spread above it."""
        scaled = (self._distances(vectors) - self._scales[0]) / self._scales[1]
        result: Scores = _KNN_SHARE * scaled[:, 0] + (1 - _KNN_SHARE) * scaled[:, 1]
        return result

    def p_values(self, vectors: "Vectors") -> "Scores":
        """Return for each vector the share of the history that is at least as unusual, as a conformal p-value."""
        return conformal(self._calibration, self.scores(vectors))

    def _distances(self, vectors: "Vectors") -> "Scores":
        import numpy as np

        alike = vectors @ self._history.T
        nearest = min(_NEAREST, alike.shape[1])
        closest = -np.partition(-alike, nearest - 1, axis=1)[:, :nearest]
        away = vectors - self._mean
        squared = np.einsum("ij,jk,ik->i", away, self._precision, away, optimize=True)
        return np.stack([1.0 - closest.mean(axis=1), np.sqrt(np.maximum(squared, 0.0))], axis=1).astype(np.float64)
