"""The questions of a route's semantic tier in the file that all workers share: what one was asked, all can find.

Stands between the tier, which knows meanings, and the file, which knows bytes. A question lies beside its answer and
goes with it; it is sealed as the answer is. A file that is away for a while costs hits, nothing else.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from mainstay.caching.disk import MARK, Disk, DiskLost, Told
from mainstay.caching.generation import Generation
from mainstay.caching.port import Question
from mainstay.core.clock import monotonic
from mainstay.store.sealing import Seal, SealLost

__all__ = ["SharedQuestions"]

_log = structlog.get_logger("mainstay.caching")
#: Questions that are taken at once: some 10 ms.
_AT_ONCE: Final = 500
#: Seconds for which a file that failed is left alone.
_DOWN: Final = 1.0

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Question).decode


class SharedQuestions:
    """Implements :class:`~mainstay.caching.port.Questions`.

    Args:
        route: whose questions.
        home: the folder of the file.
        tell: has what is told written, after the answers that were put before.
        seal: seals what is written.
        most: so many are remembered at most: older ones are not looked at.
    """

    def __init__(self, route: str, home: Path, tell: Callable[[Told], None], seal: Seal, most: int) -> None:
        self._route = route
        self._generation = Generation(home / MARK)
        # It only reads: what is too much is for who writes to say.
        self._disk = Disk(home, self._generation, 1 << 62)
        self._tell = tell
        self._seal = seal
        self._most = most
        self._last = 0
        #: Of the file, when everything of it was known; its first part counts how often it was opened.
        self._known = (0, 0)
        self._age = self._generation.now()
        self._down_until = 0.0

    def tell(self, question: Question, owner: tuple[str, str]) -> None:
        """Tell the others; see :class:`~mainstay.caching.port.Questions`."""
        try:
            value = self._seal.seal(_encode(question), _about(question.key), *owner)
        except SealLost:
            return
        self._tell(Told(question.key, self._route, value))

    def heard(self) -> tuple[list[Question], set[bytes] | None]:
        """Return what is new; see :class:`~mainstay.caching.port.Questions`."""
        if monotonic() < self._down_until:
            return [], None
        try:
            return self._heard()
        except DiskLost as error:
            self._down_until = monotonic() + _DOWN
            _log.warning("cache_unreachable", reason=str(error), advice="questions of other workers are not known")
            return [], None

    def close(self) -> None:
        """Close the file."""
        self._disk.close()
        self._generation.close()

    def _heard(self) -> tuple[list[Question], set[bytes] | None]:
        age, now = self._generation.now(), self._disk.change()
        if now[0] != self._known[0]:
            # It may be another file: what it tells is told from the beginning.
            self._last, self._known = self._disk.before(self._route, self._most), (now[0], -1)
        left = self._disk.living(self._route) if age != self._age else None
        self._age = age
        if now == self._known:
            return [], left
        rows = self._disk.told(self._route, self._last, _AT_ONCE)
        if len(rows) < _AT_ONCE:
            self._known = now
        found = []
        for number, key, value in rows:
            self._last = number
            try:
                found.append(_decode(self._seal.open(value, _about(key))))
            except (SealLost, ValueError, msgspec.MsgspecError):
                continue
        return found, left


def _about(key: bytes) -> str:
    """Return what a sealed question is bound to."""
    return f"question {key.hex()}"
