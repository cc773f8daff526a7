"""What this room needs and offers, as protocols: tiers that keep answers, neighbours in meaning, sources, flights.

A request is keyed by all that shapes its answer (``key``). The exact tier gives an answer again for an equal key; the
semantic tier finds the key of a request that asks the same in other words and hands it to the exact tier, so that what
expired, was evicted or was dropped with its sources is gone for both.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.events import Event
from mainstay.core.record import Grounding
from mainstay.core.sources import Found
from mainstay.core.usage import Usage

__all__ = [
    "Asked",
    "Counts",
    "Entry",
    "Flights",
    "Near",
    "Neighbours",
    "NullNeighbours",
    "NullQuestions",
    "Question",
    "Questions",
    "Sources",
    "Tier",
]


class Asked(msgspec.Struct, frozen=True):
    """A request as the cache knows it.

    ``key`` is equal for requests whose answers may stand for each other. ``partition`` is the same without ``text``,
    the last words of the user, and without the sources that were found for them: what must be equal before two texts
    are compared at all. Both are 32 bytes. ``text`` is "" where a request is no text that could be said otherwise.
    """

    key: bytes
    partition: bytes
    text: str
    route: str
    #: The least similarity (cosine, 0 to 1) that the caller wants; 0: the route's own. It can only make it stricter.
    similarity: float = 0.0
    #: Organisation and team of who asks: what is written of the text is sealed for them.
    owner: tuple[str, str] = ("", "")


class Near(msgspec.Struct, frozen=True):
    """A request that asks the same in other words: its key, its words, and how alike they are (cosine).

    ``shadow``: the call is asked anew all the same, and both answers are then given to :meth:`Neighbours.compare`.
    """

    key: bytes
    text: str
    similarity: float
    shadow: bool = False


class Neighbours(Protocol):
    """The semantic tier of one route. Every answer that it finds has passed all its gates."""

    async def find(self, asked: Asked) -> Near | None:
        """Return the one kept request of the same partition that asks the same, None when there is none or the tier is
        off (it switches itself off when it is wrong too often). Bounded in time; never raises."""
        ...

    def kept(self, asked: Asked, lifetime: float) -> None:
        """Note that an answer to ``asked`` is kept for so many seconds. Returns at once; nothing is waited for."""
        ...

    def forget(self, key: bytes) -> None:
        """Note that the answer of ``key`` is gone: it was found near, and is not kept any more. Returns at once."""
        ...

    def compare(self, asked: Asked, near: Near, fresh: str, kept: str) -> None:
        """Take the text of a fresh answer and of the kept one that it would have got, for the bound on errors. Returns
        at once."""
        ...


class NullNeighbours:
    """Finds nothing."""

    async def find(self, asked: Asked) -> Near | None:
        """Return None."""
        return None

    def kept(self, asked: Asked, lifetime: float) -> None:
        """Nothing to note."""

    def forget(self, key: bytes) -> None:
        """Nothing to forget."""

    def compare(self, asked: Asked, near: Near, fresh: str, kept: str) -> None:
        """Nothing to compare."""


class Sources(Protocol):
    """Finds what a grounded call would rest on."""

    async def find(self, call: Call) -> Found | None:
        """Return what is found for a call now, at one pin; None where nothing can be said (then nothing is kept)."""
        ...

    async def alive(self, call: Call, passages: Sequence[str]) -> bool:
        """Whether all of these passages of the route's knowledge are alive now, and this caller may read them."""
        ...


class Entry(msgspec.Struct, frozen=True):
    """A kept answer.

    ``source`` is the id of the record of the call that it was made for. Times are wall-clock seconds since 1970.
    ``only`` names the one dialect that can say it, "" for any. ``base`` and ``rests`` name the passages it rests on.
    ``age`` is what :class:`Tier` counts by: see :meth:`Tier.age`.
    """

    source: str
    route: str
    organisation: str
    team: str
    model: str
    provider: str
    vendor: str
    upstream: str
    made: float
    expires: float
    events: tuple[Event, ...]
    usage: Usage | None = None
    only: str = ""
    base: str = ""
    rests: tuple[str, ...] = ()
    age: int = 0
    #: What the record of its call says of its sources.
    grounding: Grounding | None = None


class Question(msgspec.Struct, frozen=True):
    """What is known of the question of a kept answer: its key, partition and words as in :class:`Asked`, when its
    answer expires (wall-clock seconds), and what it is compared by (``reading``, written under ``rules``)."""

    key: bytes
    partition: bytes
    text: str
    expires: float
    rules: str
    reading: bytes


class Questions(Protocol):
    """The questions of one route, as its workers tell each other of them. Blocks; used by one thread; never raises."""

    def tell(self, question: Question, owner: tuple[str, str]) -> None:
        """Tell the others, some time after this returned. Its answer was kept before."""
        ...

    def heard(self) -> tuple[list[Question], "set[bytes] | None"]:
        """Return the questions that were told since this was last called, own ones among them, oldest first; and, where
        answers were dropped since, the keys of all that are left, else None."""
        ...


class NullQuestions:
    """Each worker knows what was asked of it alone."""

    def tell(self, question: Question, owner: tuple[str, str]) -> None:
        """Tell nobody."""

    def heard(self) -> "tuple[list[Question], set[bytes] | None]":
        """Return nothing."""
        return [], None


class Counts(msgspec.Struct, frozen=True):
    """What a tier holds: answers and their bytes, and how many are there by route."""

    answers: int
    bytes: int
    routes: Mapping[str, int] = {}


class Tier(Protocol):
    """Keeps answers where all workers find them. A broken tier finds nothing and breaks no call."""

    def age(self) -> int:
        """Return a number that grows whenever answers are dropped; read before a call looks for its sources, it says
        afterwards whether its answer may still be kept. Costs no more than a look into memory."""
        ...

    async def get(self, key: bytes) -> Entry | None:
        """Return what is kept under ``key``; None where nothing is, or where it takes too long to say."""
        ...

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an answer, some time after this returned, unless something it rests on was dropped since its age."""
        ...

    async def aclose(self) -> None:
        """Finish what was begun and close."""
        ...


#: Starts the one upstream call of a flight.
Start = Callable[[], Awaitable[Answer]]


class Flights(Protocol):
    """Lets identical calls share one upstream call; see ``routing.single_flight``, which is handed in."""

    async def join(self, key: bytes, start: Start) -> Answer:
        """Return the answer of the flight of ``key``, opening one with ``start`` where there is none."""
        ...
