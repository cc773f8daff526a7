"""Active probes: tiny calls that find out whether an upstream is well again, so that no caller's call is risked for it.

Beside the attempt engine: a probe goes straight to the provider, past queue, retries and records, and what it learns
goes to the same :class:`~mainstay.routing.standing.Standing` as the end of any call. When one is due is decided by
:class:`Turn`, without I/O; :class:`Probes` sends them. Neither knows what a probe's body says.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from math import inf
from typing import Final

import msgspec

from mainstay.core.call import Ask, Call, Caller
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import MainstayError
from mainstay.core.record import Attempt, Record
from mainstay.core.stage import Onward
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.routing.signals import Verdict, signal_of
from mainstay.routing.standing import Standing

__all__ = ["Note", "Probe", "Probes", "Turn"]

#: Tokens that a probe is taken to have, prompt and answer together.
_TOKENS: Final = 16
#: Seconds by which a probe may be late before the breaker lets a caller's call be the probe after all.
_SLACK: Final = 2.0
_NOBODY: Final = Caller("")

#: Told of each probe that ended: the model, ``ok`` or the error's code, and milliseconds.
Note = Callable[[str, str, float], None]


class Probe(msgspec.Struct, frozen=True):
    """How one target is probed; times are in seconds.

    ``ask`` is what is asked: something that costs next to nothing. ``every``: between two probes while the breaker is
    not closed. ``idle``: when it is closed, how long the target must have been asked nothing; None for no probes then.
    ``timeout``: what a probe may take.
    """

    target: Target
    ask: Ask
    every: float = 5.0
    idle: float | None = None
    timeout: float = 10.0


class Turn:
    """When the next probe of one target is due. Pure state with an explicit clock in monotonic seconds."""

    __slots__ = ("_at", "_failed", "_idle", "_probe", "_spread")

    def __init__(self, probe: Probe, draw: Callable[[], float] = random.random) -> None:
        self._probe = probe
        # Workers and gateways must not probe in step.
        self._spread = 0.9 + 0.2 * draw()
        self._idle = inf if probe.idle is None else probe.idle * self._spread
        #: When the next one goes while the target fails; 0 while it does not.
        self._at = 0.0
        self._failed = False

    def due(self, standing: Standing, now: float) -> bool:
        """Return whether a probe should go now; to be asked often while none is under way.

        While probes keep coming, the breaker is told to wait for them, so that no caller's call is the probe.
        """
        breaker = standing.breaker
        if breaker.until:
            if not self._at:
                soon = now + self._probe.every * self._spread
                # One that passes probes and fails calls is left for the breaker's own pause, which grows.
                self._at = max(soon, breaker.until) if breaker.flaps and breaker.until != inf else soon
            breaker.hold(self._at + self._probe.timeout + _SLACK)
            allowed = now >= standing.clock and now >= standing.credential.until
            # At infinity a call is the probe already.
            return now >= self._at and breaker.until != inf and allowed
        if self._failed:
            # One failure opens nothing; the next ones should come soon.
            return now >= self._at and standing.usable(now)
        self._at = 0.0
        return now - standing.asked >= self._idle and standing.usable(now)

    def over(self, now: float, *, failed: bool) -> None:
        """A probe has ended."""
        self._failed = failed
        self._at = now + self._probe.every * self._spread if failed else 0.0


class Probes:
    """Sends the probes of one generation of the configuration: at most one at a time for each target.

    Args:
        probes: by the name of the target's model.
        standings: what is known of each target, by the same names.
        onward: asks one upstream, as the end of a line does.
        note: told of each probe that ended.
    """

    def __init__(
        self, probes: Mapping[str, Probe], standings: Mapping[str, Standing], onward: Onward, note: Note
    ) -> None:
        self._probes = probes
        self._standings = standings
        self._onward = onward
        self._note = note
        self._turns = {name: Turn(probe) for name, probe in probes.items()}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._stopped = False

    def tick(self, now: float) -> None:
        """Send what is due at monotonic second ``now``; does nothing once stopped."""
        if self._stopped:
            return
        for name, turn in self._turns.items():
            if name not in self._running and turn.due(self._standings[name], now):
                task = asyncio.get_running_loop().create_task(self._send(name, turn))
                self._running[name] = task
                task.add_done_callback(lambda _, name=name: self._running.pop(name))  # type: ignore[misc]  # bound at once

    def stop(self) -> None:
        """Send no more and cancel what is under way, which stops its upstream."""
        self._stopped = True
        for task in self._running.values():
            task.cancel()

    async def aclose(self) -> None:
        """Stop, and wait until nothing is under way."""
        self.stop()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _send(self, name: str, turn: Turn) -> None:
        probe, standing = self._probes[name], self._standings[name]
        started = monotonic()
        standing.begin(_TOKENS, started)
        learnt = False
        try:
            outcome, failed = await self._ask(probe, standing, started)
            learnt = True
        finally:
            standing.end(_TOKENS)
            if not learnt:
                # Cancelled: were this the breaker's own probe, it would wait for its end for ever.
                standing.left(monotonic())
        turn.over(monotonic(), failed=failed)
        self._note(name, outcome, since_ms(started))

    async def _ask(self, probe: Probe, standing: Standing, started: float) -> tuple[str, bool]:
        """Ask once and tell the standing; return ``ok`` or the error's code, and whether the upstream failed."""
        target, limit = probe.target, probe.timeout
        attempt = Attempt(target.model, target.provider, "probe")
        # No caller's call: the record is filled like any other and never settled.
        record = Record.opened("probe", "", "")
        record.attempts = [attempt]
        timeouts = Timeouts(min(limit, Timeouts().connect), limit, limit, limit, limit)
        call = Call(
            probe.ask,
            record,
            _NOBODY,
            target.model,
            (),
            started,
            started + limit,
            timeouts,
            # As most calls are: what breaks only streams must not pass for well.
            paced=True,
            target=target,
            attempt=attempt,
        )
        try:
            await self._onward(call)
        except MainstayError as error:
            now = monotonic()
            signal = signal_of(error)
            standing.failed(error, signal, now, now - started)
            return error.code, signal.verdict is Verdict.FAILED
        # How soon so small an answer begins says nothing of real ones.
        standing.answered(None, monotonic())
        return "ok", False
