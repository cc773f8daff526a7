"""What the ledger adds to a call, timed within one process: ``python -m bench.inside_ledger``.

The stages that hold and charge, and the settlement of the record, around a provider that answers at once, against that
provider and the same record alone; with a limit on the key, a budget of the key and one of its team. A bank answers
over the loop as the ledger's process does over its socket, so that what a worker asks for is in it. CPU time of many
calls, the least of many rounds. Prints one JSON object: microseconds per call, by kind, and messages to the bank per
thousand calls. Unlike the rest of the benchmark it knows Mainstay from within.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

from bench import wire
from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Call, Caller
from mainstay.core.clock import monotonic, wall_ms
from mainstay.core.events import Dialect, FinishReason
from mainstay.core.record import Attempt, Record
from mainstay.core.stage import Onward
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.core.usage import Usage
from mainstay.cost.bank import Bank
from mainstay.cost.config import BudgetConfig, CostConfig, LimitConfig
from mainstay.cost.notes import Ask, Give, Grant, Level, Recall
from mainstay.cost.prices import read_prices
from mainstay.cost.purse import Purses
from mainstay.cost.rates import Tariff
from mainstay.cost.rules import Rules
from mainstay.cost.stage import Charge, Hold
from mainstay.cost.till import Priced, Till
from mainstay.providers.openai import read_ask

__all__ = ["measure"]

_CALLS = 2000
_TARGET = Target("a", "p", "openai", "a")
_BODY = wire.question("a")
_CALLER = Caller("k1", "ci", "web")
_USAGE = Usage(input=41, output=57)
#: Prices of a usual model.
_PRICE = {"input": "0.15", "output": "0.60", "cache_read": "0.075"}
#: Calls that run at the same time, as in a worker that is busy.
_AT_ONCE = 16


class _Bank:
    """A bank and one worker's purses, with messages in between that take a turn of the loop."""

    def __init__(self) -> None:
        self.messages = 0
        self._bank = Bank(self._to_worker, self._open)
        self.purses = Purses(self._to_bank)
        self._bank.hello("w", (), wall_ms())

    def _to_bank(self, note: Ask | Give) -> bool:
        self.messages += 1
        loop = asyncio.get_running_loop()
        if isinstance(note, Ask):
            loop.call_soon(self._bank.ask, "w", note, wall_ms())
        else:
            loop.call_soon(self._bank.give, "w", note, wall_ms())
        return True

    def _to_worker(self, _: str, note: Grant | Recall | Level) -> None:
        if isinstance(note, Grant):
            self.purses.granted(note)
        elif isinstance(note, Recall):
            self.purses.recalled(note)

    def _open(self, series: str, _: tuple[str, ...]) -> None:
        asyncio.get_running_loop().call_soon(lambda: self._bank.opened(series, {}, wall_ms()))


def _calls() -> list[Call]:
    started = monotonic()
    calls = []
    for _ in range(_CALLS):
        record = Record.opened("chat", "POST", "/v1/chat/completions")
        attempt = Attempt("a", "p", outcome="ok", status=200)
        timeouts = Timeouts()
        calls.append(
            Call(
                read_ask(_BODY),
                record,
                _CALLER,
                "r",
                (),
                started,
                started + 600.0,
                timeouts,
                target=_TARGET,
                attempt=attempt,
            )
        )
    return calls


async def _null(call: Call) -> Answer:
    """A provider that has the answer at hand."""
    attempt = call.attempt
    assert attempt is not None
    call.record.attempts.append(attempt)
    attempt.usage = call.record.usage = _USAGE
    whole = Whole(b"{}", Dialect.OPENAI, "i", "m", (FinishReason.STOP,), _USAGE)
    return Answer(_TARGET, whole=whole)


def _line(config: CostConfig, bank: _Bank) -> Callable[[Call], Awaitable[None]]:
    till, rules = Till(bank.purses), Rules(config)
    till.renew({"a": Priced(Tariff(read_prices(_PRICE, source="config", version="bench")), "config")})
    hold, charge = Hold(till, rules), Charge(till, rules)
    last: Onward = _null

    def charged(call: Call) -> Awaitable[Answer]:
        return charge(call, last)

    async def serve(call: Call) -> None:
        await hold(call, charged)
        call.record.outcome = "ok"
        till.settle(call.record)

    return serve


async def _alone(call: Call) -> None:
    await _null(call)
    call.record.outcome = "ok"


async def _once(ask: Callable[[Call], Awaitable[None]], at_once: int) -> float:
    calls = _calls()
    before = time.process_time_ns()
    if at_once == 1:
        for call in calls:
            await ask(call)
    else:
        for start in range(0, len(calls), at_once):
            await asyncio.gather(*(ask(call) for call in calls[start : start + at_once]))
    return (time.process_time_ns() - before) / _CALLS / 1e3


def _configs() -> dict[str, CostConfig]:
    ample = {"limit": "1000/month", "per": "key"}
    budgets = {"keys": BudgetConfig(**ample), "teams": BudgetConfig(limit="5000/month", per="team")}  # type: ignore[arg-type]  # as a person writes it
    limits = {"keys": LimitConfig(rpm=1_000_000, per="key")}  # type: ignore[arg-type]  # as a person writes it
    return {
        "prices": CostConfig(),
        "all": CostConfig(budgets=budgets, limits=limits),
    }


async def measure(rounds: int) -> dict[str, float]:
    """Microseconds of CPU per call beyond the provider's own, the least of so many rounds of each, taken in turns."""
    banks = {name: _Bank() for name in _configs()}
    kinds = {name: _line(config, banks[name]) for name, config in _configs().items()}
    alone: dict[int, list[float]] = {1: [], _AT_ONCE: []}
    seen: dict[tuple[str, int], list[float]] = {(name, count): [] for name in kinds for count in alone}
    asked, served = 0, 0
    for _ in range(rounds):
        for count in alone:
            alone[count].append(await _once(_alone, count))
            for name, ask in kinds.items():
                before = banks[name].messages
                seen[name, count].append(await _once(ask, count))
                if name == "all":
                    asked, served = asked + banks[name].messages - before, served + _CALLS
    found = {
        name if count == 1 else f"{name}_busy": min(values) - min(alone[count])
        for (name, count), values in seen.items()
    }
    return {**found, "messages": asked * 1000 / served}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20))))
