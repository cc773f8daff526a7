"""The waiting room of one upstream: who goes next when there is room, and who has to go when there is none.

A pure data structure: no clock, no loop. Three bands by :class:`Priority`; inside a band tenants share by a virtual
token counter (Sheng et al. 2024, "Fairness in Serving Large Language Models"); inside a tenant the earliest deadline
goes first. Bounded by calls and by tokens; a tenant is remembered while it waits or has calls in flight. What waits is
the user's own thing, carried in ``Waiter.item``.
"""

from heapq import heapify, heappop, heappush, heapreplace
from itertools import count
from typing import Generic, TypeVar

from mainstay.core.call import Priority

__all__ = ["Tenant", "Waiter", "WaitingRoom", "cost"]

T = TypeVar("T")

#: An answer's token takes a step of the whole model; a prompt's share one. Two to one is customary, not measured.
_OUT = 2
#: Of so many picks one goes to the lowest band that waits, as long as no critical call does: what is promised to
#: critical callers is not shared, and standard ones can spare 6 % so that batch work ends some day.
_AGEING = 16


def cost(tokens_in: int, tokens_out: int) -> int:
    """Return what a call is charged: its prompt's tokens and twice its answer's."""
    return tokens_in + _OUT * tokens_out


class Tenant(Generic[T]):
    """One tenant in one band: what it was served, and its calls that wait."""

    __slots__ = ("band", "calls", "key", "name", "running", "tokens", "used", "waiting", "weight")

    def __init__(self, name: str, weight: float, band: "_Band[T]") -> None:
        self.name, self.weight, self.band = name, weight, band
        #: Tokens served per weight: the virtual counter.
        self.used = 0.0
        #: Under which counter it stands in the band's heap; None while nothing of it waits.
        self.key: float | None = None
        #: A heap by deadline; holds dead ones until they surface.
        self.calls: list[tuple[float, int, Waiter[T]]] = []
        self.waiting = self.tokens = self.running = 0


class Waiter(Generic[T]):
    """A call that waits."""

    __slots__ = ("alive", "item", "tenant", "tokens")

    def __init__(self, item: T, tenant: Tenant[T], tokens: int) -> None:
        self.item, self.tenant, self.tokens = item, tenant, tokens
        self.alive = True


class _Band(Generic[T]):
    """The tenants of one priority."""

    __slots__ = ("count", "floor", "heap", "tenants", "tokens", "weight")

    def __init__(self) -> None:
        self.tenants: dict[str, Tenant[T]] = {}
        #: By virtual counter; an entry whose counter is not its tenant's ``key`` is dead.
        self.heap: list[tuple[float, int, Tenant[T]]] = []
        #: The counter of whoever was served last.
        self.floor = 0.0
        self.count = self.tokens = 0
        #: Of the tenants that wait.
        self.weight = 0.0

    def first(self) -> Tenant[T] | None:
        """Return the tenant with the smallest counter of those that wait."""
        heap = self.heap
        while heap:
            key, mark, tenant = heap[0]
            if tenant.key != key:
                heappop(heap)
            elif tenant.used > key:
                # It was served since; counters that rise are put right only when they surface.
                tenant.key = tenant.used
                heapreplace(heap, (tenant.used, mark, tenant))
            else:
                return tenant
        return None


class WaitingRoom(Generic[T]):
    """Calls that wait for one upstream.

    Args:
        calls: how many may wait.
        tokens: how many tokens they may have together; one call alone may have more.
    """

    def __init__(self, calls: int, tokens: int) -> None:
        self._calls, self._limit = calls, tokens
        self._bands: tuple[_Band[T], ...] = tuple(_Band() for _ in Priority)
        self._marks = count()
        self._passed = 0
        #: Calls that wait.
        self.count = 0
        #: Their tokens.
        self.tokens = 0

    def has_room(self, tokens: int) -> bool:
        """Whether a call of ``tokens`` may come in without another leaving."""
        return self.count < self._calls and (not self.count or self.tokens + tokens <= self._limit)

    def lower(self, priority: Priority) -> bool:
        """Whether a call waits that matters less than ``priority``."""
        return any(self._bands[band].count for band in Priority if band > priority)

    def ahead(self, priority: Priority, name: str, weight: float, tokens: int) -> float:
        """Return about how many tokens are served before a new call of ``tokens``, counting those that wait now."""
        band = self._bands[priority]
        tenant = band.tenants.get(name)
        own = tokens
        if tenant is not None:
            own, weight = own + tenant.tokens, tenant.weight
        # While it is served once, each of the others is served by its weight.
        total = band.weight + (0.0 if tenant is not None and tenant.waiting else weight)
        mine = min(float(band.tokens), own * total / weight - tokens)
        higher = sum(self._bands[other].tokens for other in Priority if other < priority)
        if priority > Priority.CRITICAL and not self._bands[Priority.CRITICAL].count and not self.lower(priority):
            return min(higher + mine, _AGEING * (mine + tokens))
        return higher + mine

    def put(self, item: T, priority: Priority, name: str, weight: float, tokens: int, deadline: float) -> Waiter[T]:
        """Let a call wait, whether there is room or not: asking is the caller's part."""
        band = self._bands[priority]
        tenant = band.tenants.get(name)
        if tenant is None:
            tenant = band.tenants[name] = Tenant(name, weight, band)
        if not tenant.waiting:
            # What it did not use while away is not saved up: it starts level with who is served next.
            first = band.first()
            tenant.used = max(tenant.used, first.used if first else band.floor)
            band.weight += tenant.weight
            self._mark(tenant)
        waiter = Waiter(item, tenant, tokens)
        heappush(tenant.calls, (deadline, next(self._marks), waiter))
        self._count(tenant, 1, tokens)
        return waiter

    def drop(self, waiter: Waiter[T]) -> bool:
        """Take out a call that waits no more: it left, its time is up, or it was shed. False if it was out already."""
        if not waiter.alive:
            return False
        self._out(waiter)
        tenant = waiter.tenant
        if len(tenant.calls) > 2 * tenant.waiting + 8:
            tenant.calls = [entry for entry in tenant.calls if entry[2].alive]
            heapify(tenant.calls)
        self._forget(tenant)
        return True

    def pick(self) -> Waiter[T] | None:
        """Take out the call that is next and charge its tenant; None when nobody waits."""
        band = self._next_band()
        tenant = band.first() if band else None
        if band is None or tenant is None:
            return None
        band.floor = tenant.used
        waiter = heappop(tenant.calls)[2]
        while not waiter.alive:
            waiter = heappop(tenant.calls)[2]
        self._out(waiter)
        tenant.running += 1
        tenant.used += waiter.tokens / tenant.weight
        return waiter

    def settle(self, waiter: Waiter[T], tokens: int) -> None:
        """Correct what a picked call was charged to what it cost in truth. Once per picked call."""
        tenant = waiter.tenant
        tenant.running -= 1
        tenant.used += (tokens - waiter.tokens) / tenant.weight
        if tenant.key is not None and tenant.used < tenant.key:
            self._mark(tenant)
        self._forget(tenant)

    def victims(self, priority: Priority, name: str, weight: float, tokens: int) -> list[Waiter[T]]:
        """Return who has to go so that a new call may wait: none when that is not right.

        Lower bands go first, of each the tenant with most tokens waiting per weight, of it a call with a late deadline.
        Within its own band a call displaces only one of a tenant that has more waiting: a flood fills its own share.
        Takes them out.
        """
        lower = [self._bands[band] for band in Priority if band > priority]
        left = self.count - sum(band.count for band in lower)
        fits = not left or self.tokens - sum(band.tokens for band in lower) + tokens <= self._limit
        if left < self.count:
            if not fits:
                return []
            gone: list[Waiter[T]] = []
            while not self.has_room(tokens):
                lowest = max(band for band in Priority if self._bands[band].count)
                gone.append(self._last(self._longest(self._bands[lowest])))
            return gone
        band = self._bands[priority]
        if not band.count or band.count == len(band.tenants) == 1:
            return []
        longest, own = self._longest(band), band.tenants.get(name)
        free = self._limit - self.tokens
        last = self._peek(longest)
        fair = longest.tokens / longest.weight > ((own.tokens if own else 0) + tokens) / weight
        if longest is own or not fair or last.tokens + free < tokens:
            return []
        return [self._last(longest)]

    def _longest(self, band: _Band[T]) -> Tenant[T]:
        return max(band.tenants.values(), key=lambda tenant: tenant.tokens / tenant.weight)

    def _peek(self, tenant: Tenant[T]) -> Waiter[T]:
        # The last leaf of a heap: the latest deadline when calls came in order, and a late one otherwise.
        while not tenant.calls[-1][2].alive:
            tenant.calls.pop()
        return tenant.calls[-1][2]

    def _last(self, tenant: Tenant[T]) -> Waiter[T]:
        waiter = self._peek(tenant)
        tenant.calls.pop()
        self._out(waiter)
        self._forget(tenant)
        return waiter

    def _next_band(self) -> _Band[T] | None:
        waiting = [band for band in self._bands if band.count]
        if not waiting:
            return None
        if len(waiting) > 1 and waiting[0] is not self._bands[Priority.CRITICAL]:
            self._passed += 1
            if self._passed >= _AGEING:
                self._passed = 0
                return waiting[-1]
        return waiting[0]

    def _out(self, waiter: Waiter[T]) -> None:
        waiter.alive = False
        tenant = waiter.tenant
        self._count(tenant, -1, -waiter.tokens)
        if not tenant.waiting:
            tenant.key = None
            band = tenant.band
            band.weight -= tenant.weight
            if not band.count:
                # Dead entries go, and what rounding has gathered.
                band.heap.clear()
                band.weight = 0.0

    def _count(self, tenant: Tenant[T], calls: int, tokens: int) -> None:
        band = tenant.band
        tenant.waiting += calls
        tenant.tokens += tokens
        band.count += calls
        band.tokens += tokens
        self.count += calls
        self.tokens += tokens

    def _mark(self, tenant: Tenant[T]) -> None:
        band = tenant.band
        tenant.key = tenant.used
        if len(band.heap) > 2 * len(band.tenants) + 64:
            band.heap = [entry for entry in band.heap if entry[2].key == entry[0]]
            heapify(band.heap)
        heappush(band.heap, (tenant.used, next(self._marks), tenant))

    def _forget(self, tenant: Tenant[T]) -> None:
        if not tenant.waiting and not tenant.running and tenant.band.tenants.get(tenant.name) is tenant:
            tenant.calls.clear()
            del tenant.band.tenants[tenant.name]
