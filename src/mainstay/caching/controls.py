"""What a caller says about the cache, in the words that HTTP has for it (RFC 9111, 5.2.1).

``cache-control: no-store`` keeps nothing of this call, ``no-cache`` asks a model anew and keeps that answer instead,
``max-age=N`` takes no answer older than N seconds, ``only-if-cached`` wants no model to be asked. And
``x-mainstay-cache-similarity: 0.97`` makes the semantic tier stricter, 1 leaves it out. No caller can make it laxer.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from mainstay.core.errors import InvalidRequest

__all__ = ["SIMILARITY", "Controls", "read_controls"]

SIMILARITY: Final = b"x-mainstay-cache-similarity"


class Controls(msgspec.Struct, frozen=True):
    """What one call may do with the cache: ``look`` for an answer, ``keep`` its own, take none older than ``age``."""

    look: bool = True
    keep: bool = True
    #: Seconds; None: any age.
    age: int | None = None
    #: Answer from the cache or not at all.
    only: bool = False
    #: The least similarity (0 to 1); 0: the route's own.
    similarity: float = 0.0


_USUAL: Final = Controls()


def read_controls(headers: Mapping[bytes, bytes]) -> Controls:
    """Return what the headers of a request say. Directives that are not known are passed over, as RFC 9111 has it.

    Raises:
        InvalidRequest: the similarity is no number from 0 to 1.
    """
    said, floor = headers.get(b"cache-control"), headers.get(SIMILARITY)
    if said is None and floor is None:
        return _USUAL
    look = keep = True
    only = False
    age: int | None = None
    for directive in (said or b"").lower().split(b","):
        name, _, value = directive.strip().partition(b"=")
        if name == b"no-store":
            # Whoever wants no copy kept is not given another's either.
            look = keep = False
        elif name == b"no-cache":
            look = False
        elif name == b"only-if-cached":
            only = True
        elif name == b"max-age":
            seconds = value.strip(b'"')
            # What is no number of seconds is taken for stale, as RFC 9111 (4.2.1) advises.
            found = int(seconds) if seconds.isdigit() and len(seconds) < 12 else 0
            age = found if age is None else min(age, found)
    if age == 0:
        look = False
    return Controls(look, keep, age, only, _similarity(floor))


def _similarity(given: bytes | None) -> float:
    if given is None:
        return 0.0
    try:
        found = float(given)
    except ValueError:
        found = -1.0
    if not 0.0 <= found <= 1.0:
        raise InvalidRequest(f"'{SIMILARITY.decode()}' takes a number from 0 to 1, such as 0.97.")
    return found
