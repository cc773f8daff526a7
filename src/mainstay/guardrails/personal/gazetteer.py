"""Whether a word is a first name, a last name, a city, a country and the like, by lists made with ``recipes/personal``.

The lists are kept as sorted 32-bit checksums, half a megabyte for a hundred thousand entries; one word in thirty
thousand is taken for an entry though it is none. It knows nothing of contexts.
"""

import gzip
import struct
import sys
import unicodedata
from array import array
from bisect import bisect_left
from importlib.resources import files
from typing import Final
from zlib import crc32

__all__ = [
    "CITY",
    "COMMON",
    "COUNTRY",
    "FIRST",
    "LAST",
    "LISTED",
    "NATION",
    "ORG",
    "STREET",
    "Gazetteer",
    "fold",
    "open_gazetteer",
]

FIRST: Final = 1
LAST: Final = 2
CITY: Final = 4
#: Countries and their parts.
COUNTRY: Final = 8
#: Nationalities, languages and religions.
NATION: Final = 16
#: Words of streets: ``street``, ``rua``, ``ulica``.
STREET: Final = 32
#: Words of organisations: ``inc``, ``bank``, ``university``.
ORG: Final = 64
#: Words that are written small in running text.
COMMON: Final = 128
#: Any list of names.
LISTED: Final = FIRST | LAST | CITY | COUNTRY | NATION | STREET


class Gazetteer:
    """Flags by word or words.

    Args:
        hashes: sorted.
        flags: one for each of ``hashes``.
    """

    def __init__(self, hashes: "array[int]", flags: bytes) -> None:
        self._hashes = hashes
        self._flags = flags

    def flags(self, folded: str) -> int:
        """Return the sum of what ``folded`` is (see :func:`fold`); 0 where nothing is known of it."""
        key = crc32(folded.encode("utf-8", "surrogatepass"))
        index = bisect_left(self._hashes, key)
        return self._flags[index] if index < len(self._hashes) and self._hashes[index] == key else 0


def fold(word: str) -> str:
    """Return ``word`` in small letters and without accents, as the lists have it."""
    if word.isascii():
        return word.lower()
    return "".join(
        letter for letter in unicodedata.normalize("NFKD", word.lower()) if not unicodedata.combining(letter)
    )


def open_gazetteer() -> Gazetteer:
    """Load the lists that came with the package."""
    data = gzip.decompress((files("mainstay.guardrails.personal") / "data" / "words.gz").read_bytes())
    (count,) = struct.unpack_from("<I", data)
    hashes = array("I")
    hashes.frombytes(data[4 : 4 + 4 * count])
    if sys.byteorder == "big":
        hashes.byteswap()
    return Gazetteer(hashes, data[4 + 4 * count :])
