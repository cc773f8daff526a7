"""Our own guards behind the port ``Judge``: the frozen encoder, and on it a net of ours for each task.

The nets lie in ``weights/``, in a format in which nothing can run; how they were trained stands in ``recipes/guards``.
A file that is not the one this version knows is refused, and so is a guard that gets its known answers wrong: a
broken build of what computes must not pass for a lenient guard.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from mainstay.core.errors import StartError
from mainstay.encoders.minilm import DIMENSIONS, Encoder, is_installed, open_encoder
from mainstay.guardrails.groups import blind
from mainstay.guardrails.heads import Net

__all__ = ["GUARDS", "MISSING", "WINDOW", "Guard", "open_guard"]

#: What to tell whoever wants a guard where its packages are missing.
MISSING: Final = "needs packages that are not installed: pip install 'mainstay[guards]'"
#: Characters that the encoder reads of English; what a net reads beside it may be longer.
WINDOW: Final = 500
#: The guards there are, and the SHA-256 of their weights.
GUARDS: Final[Mapping[str, str]] = {
    "injection": "6b2cdcfb77dcabb7081ff4be7e4733ba90c047e223b633a261b9c516739d610c",
    "moderation": "d58cdcac240f8c5da9b302144060d2f240725f899db84a7838c1b7ac774b3e8e",
    "profanity": "c9873c0848e613ebfd1b007eb16ec84a9f8420bd1ca9ede35f6c019df2e78137",
    "refusal": "acc2ee83f41f30173cdaf0d2ca29fc56bdfbd86bd5de02bbce12abb96449921a",
}


class Guard:
    """See :class:`~mainstay.guardrails.port.Judge`. Safe to share between threads."""

    def __init__(self, net: Net, encoder: Encoder | None) -> None:
        self._net = net
        self._encoder = encoder

    @property
    def heads(self) -> frozenset[str]:
        """What it judges."""
        return frozenset(self._net.heads)

    @property
    def window(self) -> int:
        """Characters that are judged together."""
        return self._net.window

    @property
    def thresholds(self) -> Mapping[str, float]:
        """For each head the probability from which on it is worth acting; how it was chosen stands in its card."""
        return self._net.thresholds

    def judge(self, texts: Sequence[str]) -> Sequence[Mapping[str, float]]:
        """Return for each text a calibrated probability for each head; of a longer text, the start is judged."""
        import numpy as np

        if not texts:
            return []
        cut = [text[: self._net.window] for text in texts]
        if self._net.blind:
            cut = [blind(text) for text in cut]
        vectors = np.zeros((len(cut), DIMENSIONS), np.float32)
        if self._encoder is not None:
            vectors = self._encoder.encode([text[:WINDOW] for text in cut])
        found = self._net.judge(vectors, cut)
        return [dict(zip(self._net.heads, row, strict=True)) for row in found.tolist()]


@cache
def open_guard(name: str) -> Guard:
    """Return one of ``GUARDS``, loaded with the first call in a process.

    Raises:
        StartError: packages are missing, the weights are not the ones that are known, or its answers are wrong.
        KeyError: there is no such guard.
    """
    data = files("mainstay.guardrails").joinpath(f"weights/{name}.safetensors").read_bytes()
    if hashlib.sha256(data).hexdigest() != GUARDS[name]:
        raise StartError(f"The weights of the guard '{name}' are damaged; install mainstay again.")
    try:
        net = Net(data)
        if "meaning" in net.reads and not is_installed():
            raise ImportError
        guard = Guard(net, open_encoder() if "meaning" in net.reads else None)
    except ImportError:
        raise StartError(f"The guard '{name}' {MISSING}.") from None
    _check(name, guard, net)
    return guard


def _check(name: str, guard: Guard, net: Net) -> None:
    """Ask what the answers are known of: texts with a head and the least and most its probability may be."""
    for (text, head, least, most), found in zip(net.known, guard.judge([row[0] for row in net.known]), strict=True):
        if not least <= found[head] <= most:
            raise StartError(
                f"The guard '{name}' answers {found[head]:.2f} for '{text}', where {least:.2f} to {most:.2f} is right;"
                " its packages do not work on this processor."
            )
