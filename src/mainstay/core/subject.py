"""What someone may ask of what is kept: where they are in it, a copy of it, that it be forgotten.

A subject is an end user, a key, or a text. Every room that keeps something has a place that is searched for it; places
know how their own things lie and nothing of each other.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec

__all__ = ["KINDS", "Place", "Subject", "Trace"]

#: Kinds of subject: the end user that calls were for, the key that they came with, a text to look for.
KINDS = ("user", "key", "text")


class Subject(msgspec.Struct, frozen=True):
    """Whom or what is looked for.

    ``keys`` are the ids and names of the key, ``records`` the ids that records of the subject have, here and upstream:
    what belongs to a call is found by them where it does not say whose it is.
    """

    kind: str
    value: str
    keys: tuple[str, ...] = ()
    records: frozenset[str] = frozenset()

    def is_in(self, text: str) -> bool:
        """Say whether a text to look for is in ``text``, whatever the case; False for other kinds."""
        return self.kind == "text" and self.value.casefold() in text.casefold()


class Trace(msgspec.Struct, frozen=True):
    """Something that is kept of a subject: ``what`` it is, in which ``place``, under which ``id``, and since when.

    ``at`` is wall-clock ms, 0 where nobody knows. ``data`` is what a copy of it says.
    """

    place: str
    id: str
    what: str
    at: int
    data: dict[str, Any]


class Place(Protocol):
    """Where something is kept. Blocking."""

    @property
    def name(self) -> str:
        """What people call it."""
        ...

    def find(self, subject: Subject) -> Iterator[Trace]:
        """Yield what is kept of a subject, each thing once."""
        ...

    def erase(self, subject: Subject, removed: Callable[[Trace], None]) -> None:
        """Remove what is kept of a subject, and tell of each thing once it is gone for good.

        May be cut off at any moment and run anew: it goes on with what is left. What is in use now stays, and is
        found the next time.
        """
        ...
