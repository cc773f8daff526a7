"""The letters and words of a text as hashed features: runs of 2 to 5 bytes, words, and pairs of words.

What sees letters sees what a vocabulary of words cannot: "f*ck", words run together, new slurs. The features are those
of fastText (Bojanowski et al. 2017), hashed into one table (Weinberger et al. 2009). Computed with numpy alone.
"""

import re
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BITS", "hashed"]

#: Features are numbers below ``1 << BITS``.
BITS: Final = 17
_RUNS: Final = (2, 3, 4, 5)
_MULTIPLIER: Final = 0x01000193
_MIX: Final = 0x2C1B3C6D
_WORD: Final = re.compile(r"\w+|[^\w\s]")
_SPACE: Final = re.compile(r"\s+")


def hashed(text: str) -> "NDArray[np.int64]":
    """Return the numbers of the features of ``text``, each once, in order."""
    import numpy as np

    plain = f" {_SPACE.sub(' ', text.lower()).strip()} "
    letters = np.frombuffer(plain.encode("utf-8", "replace"), np.uint8).astype(np.uint32)
    found = []
    run = letters
    for length in range(2, _RUNS[-1] + 1):
        if len(run) < 2:
            break
        run = run[:-1] * np.uint32(_MULTIPLIER) + letters[length - 1 :]
        found.append(run ^ np.uint32(length * 0x9E3779B1 & 0xFFFFFFFF))
    words = [zlib.crc32(word.encode("utf-8", "replace")) for word in _WORD.findall(plain)]
    if words:
        one = np.array(words, np.uint32)
        found += [one, one[:-1] * np.uint32(_MULTIPLIER) + one[1:]]
    every = np.concatenate(found) if found else letters
    mixed = (every ^ (every >> np.uint32(15))) * np.uint32(_MIX)
    mixed ^= mixed >> np.uint32(13)
    return np.unique(mixed >> np.uint32(32 - BITS)).astype(np.int64)
