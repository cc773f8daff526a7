"""The only loop over attempts: choose a target, ask it, and go on while nothing has been answered.

The edge of the attempt engine: it sends, waits and records. What an error means is in ``signals``, what to do next in
``progress``, what is known of a target in ``standing``, what becomes of a stream in ``streams``.
"""

import random
from asyncio import CancelledError, sleep
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Literal

from msgspec.structs import replace

from mainstay.core.answer import Answer, Frames
from mainstay.core.call import Call
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import MainstayError, UpstreamRateLimited
from mainstay.core.record import Attempt, Record
from mainstay.core.seal import last_maker
from mainstay.core.stage import Onward
from mainstay.core.target import TALKS, Target
from mainstay.routing.attempt import Attempts
from mainstay.routing.fit import fitting, permitted
from mainstay.routing.hedge import Hedge
from mainstay.routing.port import Chooser
from mainstay.routing.progress import Progress, Rules, Step
from mainstay.routing.race import race
from mainstay.routing.resort import Resort
from mainstay.routing.signals import signal_of
from mainstay.routing.single_flight import SingleFlight, flight_key
from mainstay.routing.standing import Standing
from mainstay.routing.streams import Resumed, Watched

__all__ = ["Route"]

#: Tokens an answer is taken to have when load is weighed and the caller set no limit.
_ANSWER = 256


class Route:
    """Tries a route's targets, then its fallbacks, within one cap on attempts and one deadline.

    Args:
        chooser: orders ``targets`` for each call.
        targets: the route's own targets.
        standings: what is known of each target, by its model's name.
        fallback: models to ask, in order, after the targets.
        rules: how many attempts, how much patience.
        interrupted: what a stream does when its upstream breaks after the first content.
        resort: what to answer when all failed; None raises the first error.
        paced: ask upstreams for a stream also where the caller wants the answer whole.
        hedge: sends a second copy of calls whose first token is unusually late; None never.
        flights: shares one upstream call between identical calls; None never.
        wished: models that a call may ask to be tried before all others, by name.
        draw: returns a number in [0, 1); tests pass their own.
        pause: waits so many seconds; tests pass their own.
    """

    def __init__(
        self,
        chooser: Chooser,
        targets: Sequence[Target],
        standings: Mapping[str, Standing],
        fallback: Sequence[Target] = (),
        rules: Rules | None = None,
        *,
        interrupted: Literal["error", "hold", "resume"] = "error",
        resort: Resort | None = None,
        paced: bool = False,
        hedge: Hedge | None = None,
        flights: SingleFlight | None = None,
        wished: Mapping[str, Target] | None = None,
        draw: Callable[[], float] = random.random,
        pause: Callable[[float], Awaitable[None]] = sleep,
    ) -> None:
        self._chooser = chooser
        self._targets = targets
        self._standings = standings
        names = {target.model for target in targets}
        self._fallback = tuple(target for target in fallback if target.model not in names)
        self._rules = rules or Rules()
        self._interrupted = interrupted
        self._resort = resort
        self._attempts = Attempts(standings, held=interrupted == "hold", paced=paced)
        self._hedge = hedge
        self._flights = flights
        self._wished = wished or {}
        self._draw = draw
        self._pause = pause
        # With one target there is nothing to order, and it says itself what it cannot do.
        self._sole = tuple(targets) if len(targets) == 1 and not self._fallback else None

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]:
        if self._flights is not None and (key := self._flight_key(call)) is not None:
            return self._share(self._flights, key, call, onward)
        return self._serve(call, onward)

    def _flight_key(self, call: Call) -> bytes | None:
        key = flight_key(call)
        if key is None or call.forbids is None:
            return key
        # Who may not ask a model gets no answer of it from who may.
        permits = [one.model for one in (*self._targets, *self._fallback) if call.forbids(one) is None]
        return key + "\0".join(permits).encode()

    async def _serve(self, call: Call, onward: Onward) -> Answer:
        plan = self._sole if self._sole is not None and not call.wished_model else self._order(call)
        if call.forbids is not None:
            plan = permitted(plan, call.forbids)
        target = plan[0]
        if not self._standings[target.model].usable(monotonic()):
            return await self._persist(call, onward, plan, None)
        try:
            if self._hedge is None or call.ask.operation not in TALKS or _has_tools(call):
                answer = await self._attempts.make(call, onward, target, "first")
            else:
                answer = await self._race(call, onward, plan, self._hedge)
        except MainstayError as error:
            return await self._persist(call, onward, plan, error)
        if (self._interrupted == "resume" or self._resort is not None) and call.ask.operation in TALKS:
            self._look_after(call, onward, plan, answer)
        return answer

    def _race(self, call: Call, onward: Onward, plan: Sequence[Target], hedge: Hedge) -> Awaitable[Answer]:
        """Ask the first target, and perhaps another beside it: the next that is open, else the same again."""
        now = monotonic()
        others = (target for target in plan[1:] if self._standings[target.model].usable(now))
        return race(call, partial(self._attempts.make, call, onward), hedge, plan[0], next(others, plan[0]))

    async def _share(self, flights: SingleFlight, key: bytes, call: Call, onward: Onward) -> Answer:
        """Let identical calls share one upstream call; see ``single_flight`` for what becomes of their records."""
        own: list[Record] = []

        async def start() -> Answer:
            record = replace(call.record, attempts=[])
            own.append(record)
            return await self._serve(replace(call, record=record), onward)

        record = call.record
        began = monotonic()
        try:
            answer = await flights.join(key, start)
        except CancelledError:
            for led in own:
                led.attempts = _left(led.attempts, call)
            raise
        finally:
            for led in own:
                record.attempts, record.queued_ms = led.attempts, record.queued_ms + led.queued_ms
                record.target, record.provider, record.vendor = led.target, led.provider, led.vendor
            if not own:
                record.queued_ms += since_ms(began)
        if answer.frames is not None:
            answer.frames = self._follow(call, answer.frames, leads=bool(own))
        return answer

    def _follow(self, call: Call, frames: Frames, *, leads: bool) -> Frames:
        """See to it that a listener's waiting for shared frames is taken for what it is."""
        record, began = call.record, monotonic()

        def ended(error: MainstayError | None, left: bool) -> None:
            if not leads:
                record.queued_ms += since_ms(began)
            elif left:
                record.attempts = _left(record.attempts, call)

        return Watched(frames, ended)

    def _order(self, call: Call) -> Sequence[Target]:
        """Return the targets for this call, best first: those that may be asked now before those that may not.

        Raises:
            CallerError: no target can do what is asked; the reason is the first target's.
        """
        plan = (*_home_first(call, self._chooser.order(call, self._targets)), *self._fallback)
        wish = self._wished.get(call.wished_model)
        if wish is not None:
            plan = (wish, *(target for target in plan if target.model != wish.model))
        ordered, unfit = fitting(call, plan)
        if not ordered:
            raise unfit[0].error(call.ask)
        now = monotonic()
        shut = [target for target in ordered if not self._standings[target.model].usable(now)]
        return [*(target for target in ordered if target not in shut), *shut] if shut else ordered

    async def _persist(
        self, call: Call, onward: Onward, plan: Sequence[Target], failure: MainstayError | None
    ) -> Answer:
        """Go on after the first target failed, or could not be asked (``failure`` is None then)."""
        progress = Progress(self._rules, plan, call.deadline, self._draw)
        try:
            if failure is None:
                step: Step | None = self._least_bad(call, plan)
            else:
                step = self._next(call, progress, plan[0], failure)
            answer = await self._pursue(call, onward, progress, step)
        except MainstayError as error:
            if self._resort is None or not error.retryable or call.ask.operation not in TALKS:
                # What is no text has no last words, and another model's vectors would lie in another space.
                raise
            return await self._resort.answer(call, error, partial(self._attempts.make, call, onward))
        if call.ask.operation in TALKS:
            self._look_after(call, onward, plan, answer, progress)
        return answer

    async def _pursue(self, call: Call, onward: Onward, progress: Progress, step: Step | None) -> Answer:
        """Take step after step until one answers.

        Raises:
            MainstayError: the first cause, once no step is left.
        """
        while step is not None:
            if step.delay:
                await self._wait(call, step)
            try:
                return await self._attempts.make(call, onward, step.target, step.cause)
            except MainstayError as error:
                step = self._next(call, progress, step.target, error)
        assert progress.first_error is not None
        raise progress.first_error

    async def _wait(self, call: Call, step: Step) -> None:
        """Wait for a step's turn, and longer if the upstream has asked for more patience meanwhile."""
        standing = self._standings[step.target.model]
        delay, known = step.delay, standing.clock
        while delay:
            await self._pause(delay)
            call.record.queued_ms += delay * 1000
            now = monotonic()
            more = standing.throttled(now) if standing.clock > known else 0.0
            known = standing.clock
            delay = more if more <= self._rules.patience and now + more < call.deadline else 0.0

    def _next(self, call: Call, progress: Progress, target: Target, error: MainstayError) -> Step | None:
        # The record has every upstream call; one that was refused before it was sent is none.
        made = len(call.record.attempts)
        if made > progress.attempts:
            progress.asked(target)
        progress.attempts = made
        progress.passed(target)
        now = monotonic()
        return progress.failed(
            target,
            error,
            signal_of(error),
            now,
            usable=lambda other: self._standings[other.model].usable(now),
            may_retry=self._standings[target.model].may_retry,
        )

    def _least_bad(self, call: Call, plan: Sequence[Target]) -> Step:
        """Return what to do when no target wants a call now: wait a little, or try the least bad.

        Raises:
            UpstreamRateLimited: every upstream has asked for more patience than the route has.
        """
        now = monotonic()
        waits = [(self._standings[target.model].throttled(now), target) for target in plan]
        bearable = min(self._rules.patience, call.deadline - now)
        short = [(wait, target) for wait, target in waits if 0 < wait <= bearable]
        if short:
            wait, target = min(short, key=lambda pair: pair[0])
            return Step(target, wait, self._cause(target))
        free = [target for wait, target in waits if not wait]
        if free:
            # Refusing everything because every breaker is open would turn a suspicion into an outage.
            target = min(free, key=lambda target: self._standings[target.model].badness(now))
            return Step(target, 0.0, self._cause(target))
        raise UpstreamRateLimited(
            "Every upstream of this route limits the rate; try again later.",
            retry_after=min(wait for wait, _ in waits),
        )

    def _cause(self, target: Target) -> str:
        return "fallback" if target in self._fallback else "first"

    def _look_after(
        self, call: Call, onward: Onward, plan: Sequence[Target], answer: Answer, progress: Progress | None = None
    ) -> None:
        """Let a stream go on from another answer should it break, and a good answer be remembered."""
        if self._interrupted == "resume" and answer.frames is not None:
            answer.frames = self._resumable(call, onward, plan, answer, answer.frames, progress)
        if self._resort is not None:
            self._resort.seen(call, answer)

    def _resumable(
        self,
        call: Call,
        onward: Onward,
        plan: Sequence[Target],
        answer: Answer,
        frames: Frames,
        progress: Progress | None,
    ) -> Frames:
        state = progress or Progress(self._rules, plan, call.deadline, self._draw)

        async def again(error: MainstayError) -> Frames:
            cause = error.__cause__ if isinstance(error.__cause__, MainstayError) else error
            asked = call.record.attempts[-1].target
            target = next(target for target in plan if target.model == asked)
            step = self._next(call, state, target, cause)
            if step is None:
                raise error
            try:
                found = await self._pursue(call, onward, state, step)
            except MainstayError as other:
                # What the caller must know is that the answer broke off, not why no other came.
                raise error from other
            assert found.frames is not None
            answer.target = found.target
            return found.frames

        return Resumed(frames, again)


def _home_first(call: Call, targets: Sequence[Target]) -> Sequence[Target]:
    """Return ``targets`` with those first whose provider sealed the latest reasoning in the request.

    Only it can open that; whoever else is asked goes without. Fallbacks stay behind: a conversation comes back.
    """
    ask = call.ask
    maker = last_maker(ask.raw or (ask.origin.raw if ask.origin is not None else b""))
    if not maker or len(targets) == 1:
        return targets
    return sorted(targets, key=lambda target: target.provider != maker)


def _has_tools(call: Call) -> bool:
    """Whether the request offers tools; one that was changed on its way has no bytes that say so."""
    return b'"tools"' in call.ask.raw if call.ask.raw else bool(call.ask.prompt.tools)


def _left(attempts: Sequence[Attempt], call: Call) -> list[Attempt]:
    """Return ``attempts`` as they end for a call that leaves them now; for others they may go on."""
    return [
        attempt
        if attempt.outcome
        else replace(attempt, outcome="caller_gone", total_ms=max(0.0, since_ms(call.started) - attempt.offset_ms))
        for attempt in attempts
    ]
