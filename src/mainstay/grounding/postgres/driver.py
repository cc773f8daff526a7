"""The driver of PostgreSQL, psycopg, as the rows need it: loaded when it is asked for, and with types of its own.

Numbers are whole and of 64 bits, truth is one of them, a set of values is an array, and a vector is what
:class:`~mainstay.grounding.rows.Packed` holds.
"""

import struct
from array import array
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from mainstay.core.errors import StartError
from mainstay.grounding.rows import Many, Packed

if TYPE_CHECKING:
    import psycopg

__all__ = ["MISSING", "adapt", "connect", "is_installed", "require", "veiled"]

_INT8, _BOOL_AND_INT = 20, (bool, int)
#: Seconds until a server that does not answer is given up.
_PATIENCE = 5
#: What to do where the driver is not there.
MISSING = "A knowledge base in PostgreSQL needs psycopg: install mainstay with the extra 'postgres'."


def is_installed() -> bool:
    """Whether the driver is there."""
    return find_spec("psycopg") is not None


def require() -> None:
    """See that the driver is there.

    Raises:
        StartError: it is not; the message names the extra.
    """
    try:
        import psycopg  # noqa: F401  # a base install goes without
    except ImportError:
        # Also where its library of C is missing.
        raise StartError(MISSING) from None


def connect(url: str) -> "psycopg.Connection":
    """Open a connection that begins no transaction of its own."""
    import psycopg

    # No event loop, no thread: whoever asks has a thread for it.
    return psycopg.connect(url, autocommit=True, connect_timeout=_PATIENCE, application_name="mainstay")


def adapt(connection: "psycopg.Connection", vector: int) -> None:
    """Have a connection take and give the types of the rows; ``vector`` is the number of pgvector's type there."""
    from psycopg.adapt import Dumper, Loader
    from psycopg.pq import Format

    class Whole(Dumper):
        format = Format.BINARY
        oid = _INT8

        def dump(self, obj: int) -> bytes:
            return struct.pack(">q", obj)

    class Several(Dumper):
        # Of whatever type it is compared with.
        oid = 0

        def dump(self, obj: Many) -> bytes:
            return ("{" + ",".join(map(_element, obj.values)) + "}").encode()

    class PackedDumper(Dumper):
        format = Format.BINARY
        oid = vector

        def dump(self, obj: Packed) -> bytes:
            return struct.pack(">hh", len(obj) // 4, 0) + _turned(obj)

    class PackedLoader(Loader):
        format = Format.BINARY

        def load(self, data: Any) -> Packed:
            return Packed(_turned(bytes(data)[4:]))

    for kind in _BOOL_AND_INT:
        connection.adapters.register_dumper(kind, Whole)
    connection.adapters.register_dumper(Many, Several)
    connection.adapters.register_dumper(Packed, PackedDumper)
    connection.adapters.register_loader(vector, PackedLoader)


def veiled(reason: object, url: str) -> str:
    """Return the first line of what went wrong, without the password of ``url``."""
    text = next(iter(str(reason).strip().splitlines()), type(reason).__name__)
    try:
        password = urlsplit(url).password or ""
    except ValueError:
        return type(reason).__name__
    for secret in {password, unquote(password)} - {""}:
        text = text.replace(secret, "***")
    return text


def _element(value: object) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)


def _turned(data: bytes) -> bytes:
    """Return numbers of 32 bits in the other order of bytes: on the wire they are big-endian, kept little-endian."""
    numbers = array("I", data)
    numbers.byteswap()
    return numbers.tobytes()
