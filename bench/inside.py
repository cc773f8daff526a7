"""What the attempt engine adds to an undisturbed call, timed within one process: ``python -m bench.inside``.

A route around a provider that answers at once, against that provider alone: CPU time of many calls, the least of many
rounds, since whatever else a machine does only adds. Prints one JSON object: microseconds per call, by kind of route.
Unlike the rest of the benchmark it knows Mainstay from within.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

from bench import wire
from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Call, Caller
from mainstay.core.clock import monotonic
from mainstay.core.events import Dialect, FinishReason
from mainstay.core.record import Record
from mainstay.core.stage import Onward
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.core.usage import Usage
from mainstay.providers.openai import read_ask
from mainstay.routing.admission import Admission
from mainstay.routing.first import First
from mainstay.routing.limit import Auto
from mainstay.routing.stage import Route
from mainstay.routing.standing import Credential, Standing

__all__ = ["measure"]

_CALLS = 2000
_TARGETS = tuple(Target(name, "p", "openai", name) for name in ("a", "b"))
_BODY = wire.question("a")


def _calls() -> list[Call]:
    started = monotonic()
    return [
        Call(
            read_ask(_BODY),
            Record.opened("chat", "POST", "/v1/chat/completions"),
            Caller("k"),
            "r",
            (),
            started,
            started + 600.0,
            Timeouts(),
        )
        for _ in range(_CALLS)
    ]


async def _null(call: Call) -> Answer:
    """A provider that has the answer at hand."""
    usage = Usage(input=41, output=57)
    whole = Whole(b"{}", Dialect.OPENAI, "i", "m", (FinishReason.STOP,), usage)
    return Answer(call.target or _TARGETS[0], whole=whole)


def _route(*, admission: bool, fallback: bool) -> Callable[[Call], Awaitable[Answer]]:
    standings = {
        target.model: Standing(target, Credential(), Admission(Auto()) if admission else None) for target in _TARGETS
    }
    route = Route(First(), _TARGETS[:1], standings, _TARGETS[1:] if fallback else ())
    onward: Onward = _null
    return lambda call: route(call, onward)


async def _once(ask: Callable[[Call], Awaitable[Answer]]) -> float:
    calls = _calls()
    before = time.process_time_ns()
    for call in calls:
        await ask(call)
    return (time.process_time_ns() - before) / _CALLS / 1e3


async def measure(rounds: int) -> dict[str, float]:
    """Microseconds of CPU per call beyond the provider's own, the least of so many rounds of each, taken in turns."""
    kinds: dict[str, Callable[[Call], Awaitable[Answer]]] = {
        "nothing": lambda call: _null(call),
        "off": _route(admission=False, fallback=False),
        "auto": _route(admission=True, fallback=False),
        "fallback": _route(admission=True, fallback=True),
    }
    seen: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, ask in kinds.items():
            seen[name].append(await _once(ask))
    return {name: min(values) - min(seen["nothing"]) for name, values in seen.items() if name != "nothing"}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20))))
