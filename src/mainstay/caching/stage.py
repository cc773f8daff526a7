"""The line's step that gives a kept answer again, and has a new one kept.

Stands below the rails, which look at a kept answer as at any other, and above everything that finds sources or asks a
model. A hit calls no upstream and costs nothing; a miss is delayed by one lookup of bounded time.
"""

from collections.abc import Awaitable
from hashlib import blake2b
from time import time
from typing import Final

import msgspec
from msgspec.structs import replace

from mainstay.caching.controls import Controls, read_controls
from mainstay.caching.flights import Sharing
from mainstay.caching.keeping import Candidate, Keeping
from mainstay.caching.key import Rule, is_keepable, key_of
from mainstay.caching.port import Asked, Entry, Flights, Near, Neighbours, NullNeighbours, Sources, Tier
from mainstay.caching.prefix import marked
from mainstay.caching.replay import answer_of, said
from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.errors import CallerError, InvalidRequest, MainstayError
from mainstay.core.stage import Onward
from mainstay.core.target import Operation

__all__ = ["Recall"]

_TALKS: Final = frozenset({Operation.CHAT, Operation.COMPLETION})


class Recall:
    """The cache of one route.

    Args:
        rule: what it goes by.
        tier: where answers are kept.
        keeping: has them kept once their records are settled.
        flights: lets equal calls in flight share one upstream call.
        sources: finds what a call of the route rests on; None: the route has no knowledge.
        neighbours: finds requests that ask the same in other words.
    """

    def __init__(
        self,
        rule: Rule,
        tier: Tier,
        keeping: Keeping,
        flights: Flights,
        sources: Sources | None = None,
        neighbours: Neighbours | None = None,
    ) -> None:
        self._rule = rule
        self._tier = tier
        self._keeping = keeping
        self._sharing = Sharing(flights)
        self._sources = sources
        self._semantic = neighbours is not None
        self._neighbours: Neighbours = neighbours or NullNeighbours()
        self._lifetime = rule.config.lifetime

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]:
        ask = call.ask
        if ask.operation not in _TALKS:
            return onward(call)
        if self._rule.config.prefix and ask.operation is Operation.CHAT:
            call = replace(call, ask=replace(ask, adapters=(*ask.adapters, marked)))
        return self._recall(call, onward) if self._rule.config.answers else onward(call)

    async def _recall(self, call: Call, onward: Onward) -> Answer:
        controls = read_controls(call.given)
        # Before the sources are looked for: what is dropped from now on is not kept under what was found.
        age = self._tier.age()
        if self._sources is not None and call.found is None:
            call = replace(call, found=await self._sources.find(call))
        asked = self._asked(call, controls)
        if asked is None:
            return await self._pass(call, onward, controls)
        shadow: tuple[Near, str] | None = None
        if controls.look:
            entry = await self._tier.get(asked.key)
            if entry is not None and self._fits(entry, call, controls):
                return self._hit(call, entry, "hit")
            if self._semantic and asked.text and controls.similarity < 1.0:
                near, entry = await self._near(call, asked, controls)
                if near is not None and entry is not None:
                    if not near.shadow:
                        _note(call, f"{near.similarity:.3f} alike")
                        return self._hit(call, entry, "semantic")
                    shadow = (near, said(entry.events))
        if controls.only:
            raise _not_kept()
        call.record.cache = "miss"
        return await self._miss(call, onward, controls, asked, age, shadow)

    def _asked(self, call: Call, controls: Controls) -> Asked | None:
        """Return what is asked as the cache knows it; None where nothing of it is looked for or kept."""
        if not (controls.look or controls.keep):
            return None
        if self._sources is not None and (call.found is None or call.found.late):
            # What was not found in time may be found the next time.
            return None
        try:
            return key_of(call, self._rule, controls.similarity) if is_keepable(call, self._rule) else None
        except (CallerError, ValueError, RecursionError, msgspec.MsgspecError):
            # Whatever is wrong with it, who answers it says so best.
            return None

    async def _pass(self, call: Call, onward: Onward, controls: Controls) -> Answer:
        if controls.only:
            raise _not_kept()
        return await onward(call)

    def _fits(self, entry: Entry, call: Call, controls: Controls) -> bool:
        if entry.only and entry.only != call.ask.dialect:
            return False
        age = time() - entry.made
        return age <= self._lifetime and (controls.age is None or age <= controls.age)

    async def _near(self, call: Call, asked: Asked, controls: Controls) -> tuple[Near | None, Entry | None]:
        """Return a request that asks the same in other words, and its answer, if that is still good for this caller."""
        near = await self._neighbours.find(asked)
        if near is None:
            return None, None
        entry = await self._tier.get(near.key)
        if entry is None:
            self._neighbours.forget(near.key)
            return None, None
        if not self._fits(entry, call, controls):
            return None, None
        if entry.rests and (self._sources is None or not await self._alive(call, entry)):
            return None, None
        return near, entry

    async def _alive(self, call: Call, entry: Entry) -> bool:
        assert self._sources is not None
        try:
            return await self._sources.alive(call, entry.rests)
        except MainstayError:
            return False

    def _hit(self, call: Call, entry: Entry, result: str) -> Answer:
        record = call.record
        record.cache, record.cost_usd = result, "0"
        _note(call, f"the answer of {entry.source}")
        return answer_of(entry, call, max(0.0, time() - entry.made))

    async def _miss(
        self,
        call: Call,
        onward: Onward,
        controls: Controls,
        asked: Asked,
        age: int,
        shadow: tuple[Near, str] | None,
    ) -> Answer:
        if not controls.keep:
            return await onward(call)
        candidate: Candidate | None = Candidate(
            call, asked, self._tier, self._neighbours, lifetime=self._lifetime, age=age, shadow=shadow
        )
        own = candidate
        assert own is not None

        async def start() -> Answer:
            return own.watch(await onward(call))

        if not controls.look:
            # Who wants a fresh answer is not given the one that another call waits for.
            answer = await start()
        else:
            answer, candidate = await self._sharing.join(_flight(call, asked), call, start, own)
        if candidate is not None:
            self._keeping.expect(call.record, candidate)
        return answer


def _flight(call: Call, asked: Asked) -> bytes:
    """Return what calls have in common that may share an upstream call: the same bytes, on the same wire.

    A call that comes round in a circle must not wait for itself, and one that may be shed takes no other along.
    """
    ask = call.ask
    raw = ask.raw or (ask.origin.raw if ask.origin is not None else b"")
    head = b"%b%b %d %d %d " % (asked.key, ask.dialect.encode(), ask.stream, call.hops, call.priority)
    return blake2b(head + raw, digest_size=32).digest()


def _note(call: Call, what: str) -> None:
    record = call.record
    record.steps = f"{record.steps}; cache: {what}" if record.steps else f"cache: {what}"


def _not_kept() -> MainstayError:
    return InvalidRequest(
        "No kept answer fits this request; leave out 'only-if-cached' to have a model asked.",
        code="not_cached",
        status=504,
    )
