"""A number that all processes of a machine share: it grows whenever kept answers are dropped.

Eight bytes in a file that each process maps, so that looking costs no system call. Even: what is in memory under this
number is good. Odd: a drop is under way, or the process that did it died on the way; nothing in memory counts until the
next drop, or the next start, has made it even again. It is written under the write lock of the table beside it.
"""

import mmap
import os
from pathlib import Path
from typing import Final

from mainstay.store.files import create_once

__all__ = ["Generation"]

_BYTES: Final = 8


class Generation:
    """The number, open.

    Args:
        path: of the file; made if it is not there.

    Raises:
        StartError: it can be neither made nor read.
    """

    def __init__(self, path: Path) -> None:
        create_once(path, bytes(_BYTES))
        handle = os.open(path, os.O_RDWR)
        try:
            self._map = mmap.mmap(handle, _BYTES)
        finally:
            os.close(handle)
        self._cells: memoryview[int] = memoryview(self._map).cast("Q")

    def now(self) -> int:
        """Return the number."""
        return self._cells[0]

    def begin(self) -> int:
        """Make it odd; return the even number that it will have. Only under the table's write lock."""
        number = self._cells[0]
        self._cells[0] = number | 1
        return (number | 1) + 1

    def end(self, number: int) -> None:
        """Make it the number that :meth:`begin` returned."""
        self._cells[0] = number

    def mend(self) -> None:
        """Make an odd number even: whoever made it so is gone. Only under the table's write lock."""
        self.end(self.begin()) if self._cells[0] & 1 else None

    def close(self) -> None:
        """Unmap."""
        self._cells.release()
        self._map.close()
