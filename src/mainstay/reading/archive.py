"""A zip file that may be a bomb: how much comes out is counted while it comes, whatever its index says.

Also the one way its XML is parsed: no document types, so no entities, and never more text than a limit.
"""

import lzma
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final
from xml.parsers import expat

from mainstay.core.errors import Unreadable

__all__ = ["Archive", "local", "parse"]

_MOST_FILES: Final = 20_000
_PIECE: Final = 64 * 1024
_DEPTH: Final = 256
_DAMAGED: Final = "is a damaged Office file; save it again and send that"


class Archive:
    """The files within a zip file.

    Args:
        data: the zip file.
        limit: bytes that may come out of it in all.

    Raises:
        Unreadable: it is no zip file, or holds too many files.
    """

    def __init__(self, data: bytes, limit: int) -> None:
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OverflowError, RuntimeError):
            raise Unreadable(_DAMAGED) from None
        self._left = limit
        names = self._zip.namelist()
        if len(names) > _MOST_FILES:
            raise Unreadable("is a zip file of too many files; send the document alone")
        self.names = frozenset(names)

    def read(self, name: str) -> bytes:
        """Return one file.

        Raises:
            Unreadable: there is none, it is encrypted or damaged, or too much came out of the archive.
        """
        found = bytearray()
        try:
            with self._zip.open(name) as file:
                while piece := file.read(_PIECE):
                    self._left -= len(piece)
                    if self._left < 0:
                        raise Unreadable("unpacks to more than this route reads; send a smaller file")
                    found += piece
        except (KeyError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError):
            # Each way of packing has its own error; bzip2's is an OSError.
            raise Unreadable(_DAMAGED) from None
        except RuntimeError as error:
            # What zipfile says of a password, and of a way of packing that it does not know.
            locked = "encrypted" in str(error) or "password" in str(error)
            raise Unreadable("is protected with a password; send it without one" if locked else _DAMAGED) from None
        return bytes(found)


def parse(
    data: bytes,
    start: Callable[[str, dict[str, str]], None],
    end: Callable[[str], None],
    text: Callable[[str], None] | None = None,
) -> None:
    """Tell of each element and piece of text of an XML file, namespaces as ``uri name``.

    Raises:
        Unreadable: it is not well formed, is nested too deep, or declares a document type.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    depth = 0

    def opened(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEPTH:
            raise Unreadable(_DAMAGED)
        start(name, attributes)

    def closed(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name)

    def refuse(*_: Any) -> None:
        # Office writes none, and it is the way to entities that grow or point elsewhere.
        raise Unreadable(_DAMAGED)

    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        raise Unreadable(_DAMAGED) from None


def local(name: str) -> str:
    """Return an element's name without its namespace."""
    return name.rpartition(" ")[2]
