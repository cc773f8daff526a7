"""Topics that a route is for, and topics that it is not: judged by a few phrases of each that a team writes down.

A text is as near to a topic as it is to the nearest of its phrases and to their middle, half and half, on the frozen
encoder (Snell et al. 2017, "Prototypical networks for few-shot learning", without their training). It stands behind the
port of judges; what is done about it is a rail's.
"""

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Final

from mainstay.core.errors import StartError
from mainstay.encoders.minilm import is_installed, open_encoder
from mainstay.guardrails.models import MISSING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["OFF_TOPIC", "THRESHOLDS", "Topics", "denied", "open_topics"]

#: The head of texts that are of no allowed topic.
OFF_TOPIC: Final = "off_topic"
#: From which probability on a head counts, unless a rail says otherwise: of a denied topic, and of none allowed.
THRESHOLDS: Final[Mapping[str, float]] = {"deny": 0.8, OFF_TOPIC: 0.7}
#: From nearness to a probability (Platt 1999), fitted to six topics of five phrases each, where as much weight lies on
#: texts of a topic as on others.
_SLOPE: Final = 30.0
_MIDDLE: Final = 0.225
#: Characters that are judged together: what the encoder reads of English.
_WINDOW: Final = 500


def denied(name: str) -> str:
    """Return the head of a topic that is denied."""
    return f"deny:{name}"


class Topics:
    """Judges what a text is about. Safe to share between threads; 10 ms a text, and as much a phrase the first time.

    ``allow`` and ``deny`` are phrases by the name of their topic. For each denied topic there is the head
    ``deny:NAME``, and ``off_topic`` where some are allowed: what is near to none of them.
    """

    def __init__(self, allow: Mapping[str, Sequence[str]], deny: Mapping[str, Sequence[str]]) -> None:
        self._allow = {name: tuple(phrases) for name, phrases in allow.items()}
        self._deny = {name: tuple(phrases) for name, phrases in deny.items()}
        self._lock = Lock()
        #: By topic, the allowed ones first: its phrases as rows, and their middle.
        self._known: list[tuple[NDArray[np.float32], NDArray[np.float32]]] | None = None

    @property
    def heads(self) -> frozenset[str]:
        """What it judges."""
        return frozenset((*map(denied, self._deny), *([OFF_TOPIC] if self._allow else [])))

    @property
    def window(self) -> int:
        """Characters that are judged together."""
        return _WINDOW

    def judge(self, texts: Sequence[str]) -> Sequence[Mapping[str, float]]:
        """Return for each text a probability for each head; of nothing but spaces, 0."""
        import numpy as np

        if not texts:
            return []
        known = self._learnt()
        vectors = open_encoder().encode([text[:_WINDOW] for text in texts])
        near = np.stack([((vectors @ rows.T).max(axis=1) + vectors @ middle) / 2 for rows, middle in known], axis=1)
        found = 1 / (1 + np.exp(-_SLOPE * (near.astype(np.float64) - _MIDDLE)))
        return [
            self._named(row) if text.strip() else dict.fromkeys(self.heads, 0.0)
            for text, row in zip(texts, found.tolist(), strict=True)
        ]

    def _named(self, row: Sequence[float]) -> dict[str, float]:
        allowed = len(self._allow)
        heads = {denied(name): value for name, value in zip(self._deny, row[allowed:], strict=True)}
        if allowed:
            heads[OFF_TOPIC] = 1.0 - max(row[:allowed])
        return heads

    def _learnt(self) -> "list[tuple[NDArray[np.float32], NDArray[np.float32]]]":
        import numpy as np

        with self._lock:
            if self._known is None:
                self._known = []
                for phrases in (*self._allow.values(), *self._deny.values()):
                    rows = open_encoder().encode([phrase[:_WINDOW] for phrase in phrases])
                    middle = rows.mean(axis=0)
                    self._known.append((rows, middle / np.linalg.norm(middle)))
            return self._known


def open_topics(allow: Mapping[str, Sequence[str]], deny: Mapping[str, Sequence[str]]) -> Topics:
    """Return the judge of topics, by phrases under the name of each.

    Raises:
        StartError: packages are missing.
        ValueError: there is no topic, or one without a phrase.
    """
    if not allow and not deny:
        raise ValueError("topics: name at least one that is allowed or denied")
    for name, phrases in (*allow.items(), *deny.items()):
        if not any(phrase.strip() for phrase in phrases):
            raise ValueError(f"the topic '{name}' has no phrase; write a few as your users would")
    if not is_installed():
        raise StartError(f"A rail of topics {MISSING}.")
    return Topics(allow, deny)
