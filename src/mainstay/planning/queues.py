"""Waiting in line: how many of so many servers must be free for arrivals to wait no longer than so long.

Erlang's C with the correction of Allen and Cunneen for arrivals and services that are not exponential, and a small
discrete simulation that it is checked against. Knows nothing of models: a server is one slot of one replica.
"""

import heapq
import math
import random

import msgspec

__all__ = ["Wait", "erlang_c", "simulate", "wait"]

#: Servers above which the limit for many is as good as the sum, and far faster.
_MANY = 2_000


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """What arrivals meet: the share of time a server is busy, the share of arrivals that wait, and how long, in s."""

    busy: float
    waiting_share: float
    mean_s: float
    p95_s: float


def erlang_c(servers: int, load: float) -> float:
    """Return the chance that an arrival finds all ``servers`` busy; ``load`` is arrivals times service, in servers.

    By the recursion of Erlang's B, which does not overflow; by the limit of Halfin and Whitt (Operations Research 29,
    1981) for very many servers. 1 when the load is at or above the servers.
    """
    if load >= servers:
        return 1.0
    if load <= 0:
        return 0.0
    if servers > _MANY:
        slack = (servers - load) / math.sqrt(servers)
        density = math.exp(-slack * slack / 2.0) / math.sqrt(2.0 * math.pi)
        below = 0.5 * math.erfc(-slack / math.sqrt(2.0))
        return density / (density + slack * below)
    blocked = 1.0
    for busy in range(1, servers + 1):
        blocked = load * blocked / (busy + load * blocked)
    return blocked / (1.0 - load / servers * (1.0 - blocked))


def wait(servers: int, per_s: float, service_s: float, *, arrival_cv2: float = 1.0, service_cv2: float = 1.0) -> Wait:
    """Return what arrivals at ``per_s`` meet at ``servers`` that take ``service_s`` each.

    ``*_cv2`` are squared coefficients of variation: 1 for exponential, above for bursts. A load at or above the servers
    waits for ever (infinity).
    """
    load = per_s * service_s
    chance = erlang_c(servers, load)
    if load >= servers:
        return Wait(busy=1.0, waiting_share=1.0, mean_s=math.inf, p95_s=math.inf)
    # How long those wait who wait, on average (Allen and Cunneen; exact for exponential ones).
    waited = service_s / (servers - load) * (arrival_cv2 + service_cv2) / 2.0
    p95 = waited * math.log(chance / 0.05) if chance > 0.05 else 0.0
    return Wait(busy=load / servers, waiting_share=chance, mean_s=chance * waited, p95_s=p95)


def simulate(
    servers: int,
    per_s: float,
    service_s: float,
    *,
    arrival_cv2: float = 1.0,
    service_cv2: float = 1.0,
    arrivals: int = 20_000,
    seed: int = 1,
) -> Wait:
    """Return what ``arrivals`` meet in a simulated line, first come, first served; gamma gaps and services.

    The first tenth is left out, while the line fills.
    """
    draw = random.Random(seed)  # noqa: S311 - a simulation, nothing secret
    free = [0.0] * servers
    heapq.heapify(free)
    now = busy = 0.0
    waits: list[float] = []
    for index in range(arrivals):
        now += _gamma(draw, 1.0 / per_s, arrival_cv2)
        took = _gamma(draw, service_s, service_cv2)
        start = max(now, heapq.heappop(free))
        heapq.heappush(free, start + took)
        busy += took
        if index >= arrivals // 10:
            waits.append(start - now)
    waits.sort()
    late = sum(each > 1e-9 for each in waits) / len(waits)
    return Wait(
        busy=min(1.0, busy / (now * servers)),
        waiting_share=late,
        mean_s=sum(waits) / len(waits),
        p95_s=waits[min(len(waits) - 1, math.ceil(0.95 * len(waits)) - 1)],
    )


def _gamma(draw: random.Random, mean: float, cv2: float) -> float:
    return mean if cv2 <= 0 else draw.gammavariate(1.0 / cv2, mean * cv2)
