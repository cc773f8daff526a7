"""Novelty as a rail: how unlike a route's history a request is, from the file that ``mainstay novelty fit`` writes.

The file holds vectors and no words. A running gateway takes up a new file by itself. A text is one vector, however long
it is: the mean of its beginning's and its end's, the same when a history is fitted and when a request is judged.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from mainstay.core.clock import monotonic
from mainstay.core.errors import StartError, Unavailable
from mainstay.encoders.minilm import DIMENSIONS, MODEL, is_installed, open_encoder
from mainstay.guardrails.models import MISSING, WINDOW
from mainstay.guardrails.novelty import Novelty

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "HEAD",
    "LIMIT",
    "NoveltyJudge",
    "embed",
    "fit_reference",
    "open_novelty",
    "open_reference",
    "reference_path",
]

#: What the judge says: one less the p-value, so that 0.99 is a request of which the history has one in a hundred.
HEAD: Final = "novel"
#: The usual threshold.
LIMIT: Final = 0.99
#: Characters that are judged together: in effect the whole text.
_WHOLE: Final = 1 << 20
#: Seconds between two looks at whether the file is another one.
_FRESH: Final = 5.0
_TOGETHER: Final = 64


def reference_path(home: Path, route: str) -> Path:
    """Return where the history of a route lies."""
    return home / "novelty" / f"{quote(route, safe='')}.safetensors"


def embed(texts: Sequence[str], told: Callable[[int], None] = lambda _: None) -> "NDArray[np.float32]":
    """Return a vector of length 1 for each text; ``told`` hears how many more are done.

    Raises:
        StartError: the packages are not installed.
    """
    import numpy as np

    if not is_installed():
        raise StartError(f"Novelty {MISSING}.")
    try:
        encode = open_encoder().encode
    except ImportError as error:
        raise StartError(f"Novelty cannot be told: {error}.") from None
    found = np.empty((len(texts), DIMENSIONS), np.float32)
    for start in range(0, len(texts), _TOGETHER):
        some = [list(_ends(text)) for text in texts[start : start + _TOGETHER]]
        rows = iter(encode([piece for pieces in some for piece in pieces]))
        for at, pieces in enumerate(some, start):
            total = sum((next(rows) for _ in pieces), np.zeros(DIMENSIONS, np.float32))
            found[at] = total / (np.linalg.norm(total) or 1.0)
        told(len(some))
    return found


def _ends(text: str) -> Iterator[str]:
    yield text[:WINDOW]
    if len(text) > WINDOW:
        yield text[-WINDOW:]


def fit_reference(
    vectors: "NDArray[np.float32]", route: str, source: str, now: datetime | None = None
) -> tuple[Novelty, bytes]:
    """Return the history that ``vectors`` are, and its file; ``source`` says in a word where they are from.

    Raises:
        ValueError: they are too few.
    """
    at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    notes = {"route": route, "source": source, "made_at": at, "count": str(len(vectors)), "encoder": MODEL}
    data = Novelty.fit(vectors).dump(notes)
    return Novelty.load(data), data


def open_reference(path: Path) -> Novelty:
    """Return the history in a file.

    Raises:
        StartError: there is none, it is damaged, or it was fitted with another encoder than this version's.
    """
    route = unquote(path.stem)
    try:
        found = Novelty.load(path.read_bytes())
    except OSError:
        raise StartError(f"The route has no history to compare with; run 'mainstay novelty fit {route}'.") from None
    except ValueError:
        raise StartError(f"The history of the route is damaged; run 'mainstay novelty fit {route}' again.") from None
    if found.notes.get("encoder") != MODEL:
        raise StartError(f"The history is of another version's vectors; run 'mainstay novelty fit {route}' again.")
    return found


class NoveltyJudge:
    """See :class:`~mainstay.guardrails.port.Judge`; its one head is ``novel``. Safe to share between threads.

    Args:
        path: the file of the history.
        history: what is in it now.
    """

    heads: frozenset[str] = frozenset({HEAD})
    window = _WHOLE

    def __init__(self, path: Path, history: Novelty) -> None:
        self._path = path
        self._history = history
        self._mark = _mark(path)
        self._looked = monotonic()
        self._lock = threading.Lock()

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The usual threshold, or the highest that this history can reach."""
        return {HEAD: min(LIMIT, 1 - self._history.floor)}

    def judge(self, texts: Sequence[str]) -> Sequence[Mapping[str, float]]:
        """Return for each text how unlike the history it is, as one less its p-value; 0 for a text without words.

        Raises:
            Unavailable: the encoder cannot be loaded.
        """
        self._renew()
        said = [at for at, text in enumerate(texts) if not text.isspace() and text]
        found = [{HEAD: 0.0} for _ in texts]
        if said:
            try:
                vectors = embed([texts[at] for at in said])
            except StartError as error:
                raise Unavailable(error.message) from None
            for at, value in zip(said, self._history.p_values(vectors).tolist(), strict=True):
                found[at][HEAD] = 1 - value
        return found

    def _renew(self) -> None:
        """Take up a file that was replaced; one that is gone or damaged leaves all as it is."""
        now = monotonic()
        with self._lock:
            if now - self._looked < _FRESH:
                return
            self._looked = now
            mark = _mark(self._path)
            if mark == self._mark or mark is None:
                return
            self._mark = mark
            try:
                self._history = open_reference(self._path)
            except StartError:
                return


def _mark(path: Path) -> tuple[int, int] | None:
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_mtime_ns, state.st_ino


def open_novelty(path: Path, threshold: float | None = None) -> NoveltyJudge:
    """Return the judge of a route, from the file at ``path``; the encoder is loaded with the first request.

    Raises:
        StartError: a package or the file is missing, or its history is too short for ``threshold`` to be reached.
    """
    if not is_installed():
        raise StartError(f"Novelty {MISSING}.")
    history = open_reference(path)
    if threshold is not None and threshold > 1 - history.floor + 1e-9:
        raise StartError(
            f"A history of {history.size} requests knows no p-value below {history.floor:.3f}: set the threshold to at"
            f" most {1 - history.floor:.3f}, or fit on more."
        )
    return NoveltyJudge(path, history)
