"""The questions of one route whose answers are kept, by partition, with what each is compared by. Arithmetic alone.

A partition holds what may be compared at all (``port.Asked``): there is no way from one to another. Used by one thread.
"""

from collections import OrderedDict
from collections.abc import Set
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mainstay.caching.verifier import Read
from mainstay.encoders.minilm import DIMENSIONS
from mainstay.encoders.tensors import pack, unpack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Index", "Known", "read_reading", "write_reading"]

_FIRST: Final = 4


class Known(NamedTuple):
    """A question whose answer is kept until ``expires`` (monotonic seconds)."""

    key: bytes
    text: str
    read: Read
    expires: float


def write_reading(vector: "NDArray[np.float32]", read: Read) -> bytes:
    """Return what a question is compared by as bytes, for another process."""
    return pack({"vector": vector, "pieces": read.pieces, "inner": read.inner}, {})


def read_reading(data: bytes) -> "tuple[NDArray[np.float32], Read]":
    """Return what :func:`write_reading` was given.

    Raises:
        ValueError: it is not that.
    """
    import numpy as np

    tensors: dict[str, Any] = unpack(data)[0]
    try:
        vector, pieces, inner = tensors["vector"], tensors["pieces"], tensors["inner"]
    except KeyError as missing:
        raise ValueError(f"a reading lacks {missing}") from None
    if vector.shape != (DIMENSIONS,) or pieces.ndim != 1 or inner.ndim != 2 or len(pieces) != len(inner):
        raise ValueError("a reading has another shape")
    # What is read of one file of bytes would keep all of it in memory.
    return np.array(vector, np.float32), Read(np.array(pieces, np.int32), np.array(inner, np.float16))


class _Part:
    """The questions of one partition: row i of ``vectors`` is the meaning of ``known[i]``."""

    def __init__(self) -> None:
        import numpy as np

        self.known: list[Known] = []
        self.rows: dict[bytes, int] = {}
        self.vectors: NDArray[np.float32] = np.empty((_FIRST, DIMENSIONS), np.float32)

    def add(self, known: Known, vector: "NDArray[np.float32]") -> None:
        import numpy as np

        if len(self.known) == len(self.vectors):
            self.vectors = np.concatenate([self.vectors, np.empty_like(self.vectors)])
        self.vectors[len(self.known)] = vector
        self.rows[known.key] = len(self.known)
        self.known.append(known)

    def drop(self, key: bytes) -> None:
        at, last = self.rows.pop(key), self.known.pop()
        if last.key != key:
            # The last takes the place that is free.
            self.known[at], self.rows[last.key] = last, at
            self.vectors[at] = self.vectors[len(self.known)]


class Index:
    """Questions by partition, ``most`` of them at most; the oldest go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: dict[bytes, _Part] = {}
        #: The partition of each key, oldest first.
        self._where: OrderedDict[bytes, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._where)

    def add(self, partition: bytes, known: Known, vector: "NDArray[np.float32]") -> None:
        """Take a question, in place of what had its key."""
        self.forget(known.key)
        while len(self._where) >= self._most:
            self.forget(next(iter(self._where)))
        self._parts.setdefault(partition, _Part()).add(known, vector)
        self._where[known.key] = partition

    def forget(self, key: bytes) -> None:
        """Drop the question of ``key``, if it is there."""
        partition = self._where.pop(key, None)
        if partition is None:
            return
        part = self._parts[partition]
        part.drop(key)
        if not part.known:
            del self._parts[partition]

    def expires(self, key: bytes) -> float:
        """Return when the answer of ``key`` expires; 0 where it is not there."""
        partition = self._where.get(key)
        if partition is None:
            return 0.0
        part = self._parts[partition]
        return part.known[part.rows[key]].expires

    def retain(self, keys: Set[bytes]) -> None:
        """Drop all but ``keys``."""
        for key in [key for key in self._where if key not in keys]:
            self.forget(key)

    def clear(self) -> None:
        """Drop everything."""
        self._parts.clear()
        self._where.clear()

    def has(self, partition: bytes) -> bool:
        """Whether the partition holds anything."""
        return partition in self._parts

    def near(
        self, partition: bytes, vector: "NDArray[np.float32]", least: float, most: int, now: float
    ) -> list[tuple[float, Known]]:
        """Return the questions of a partition with a cosine of ``least`` or more, nearest first, ``most`` at most.

        What has expired is dropped on the way.
        """
        import numpy as np

        part = self._parts.get(partition)
        if part is None:
            return []
        alike = part.vectors[: len(part.known)] @ vector
        order = np.argsort(-alike, kind="stable")
        found: list[tuple[float, Known]] = []
        gone: list[bytes] = []
        for at in order.tolist():
            if alike[at] < least or len(found) == most:
                break
            known = part.known[at]
            if known.expires <= now:
                gone.append(known.key)
            else:
                found.append((min(1.0, float(alike[at])), known))
        for key in gone:
            self.forget(key)
        return found
