"""Two copies of one call, and the first to begin its answer wins: the sending half of ``hedge``."""

import asyncio
from collections.abc import Awaitable, Callable

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.clock import monotonic
from mainstay.core.errors import UpstreamTimeout
from mainstay.core.record import Attempt
from mainstay.core.target import Target
from mainstay.routing.hedge import Hedge

__all__ = ["race"]

Ask = Callable[[Target, str], Awaitable[Answer]]


async def race(call: Call, ask: Ask, hedge: Hedge, target: Target, other: Target) -> Answer:
    """Ask ``target``; if its first token is unusually late and the budget allows it, ask ``other`` as well.

    ``ask`` makes one upstream call: (target, cause) → answer. The loser is cancelled, which stops its upstream; in the
    record the attempt that served stands last.

    Raises:
        MainstayError: both failed: what the first of them raised.
    """
    started = monotonic()
    wait = hedge.delay(target.model, started)
    if wait is None:
        try:
            answer = await ask(target, "first")
        except UpstreamTimeout:
            hedge.observe(target.model, monotonic() - started)
            raise
        _observe(hedge, call.record.attempts[-1])
        return answer
    first = asyncio.ensure_future(ask(target, "first"))
    second: asyncio.Future[Answer] | None = None
    try:
        await asyncio.wait((first,), timeout=wait)
        if not first.done():
            hedge.exceeded(target.model)
            if hedge.spend(target.model):
                second = asyncio.ensure_future(ask(other, "hedge"))
        winner = await _winner(first, second)
    except BaseException:
        await _stop(first, second)
        raise
    loser = second if winner is first else first
    attempts = call.record.attempts
    serving = next(a for a in attempts if (a.cause == "hedge") is (winner is second))
    if loser is not None:
        await _stop(loser)
        for attempt in attempts:
            if attempt is not serving and attempt.outcome == "caller_gone":
                attempt.outcome = "outrun"
        attempts.sort(key=lambda attempt: attempt is serving)
        if winner is second:
            # Known to have been at least so slow.
            hedge.observe(target.model, monotonic() - started)
    _observe(hedge, serving)
    return winner.result()


async def _winner(first: "asyncio.Future[Answer]", second: "asyncio.Future[Answer] | None") -> "asyncio.Future[Answer]":
    """Wait for the first that answers.

    Raises:
        MainstayError: none does.
    """
    waiting = {future for future in (first, second) if future is not None}
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for future in done:
            if future.exception() is None:
                return future
    error = first.exception()
    assert error is not None
    raise error


async def _stop(*futures: "asyncio.Future[Answer] | None") -> None:
    """Cancel what still runs and let go of what has an answer that nobody takes."""
    for future in futures:
        if future is None:
            continue
        if not future.done():
            future.cancel()
            await asyncio.wait((future,))
        if not future.cancelled() and future.exception() is None:
            frames = future.result().frames
            if frames is not None:
                await frames.aclose()


def _observe(hedge: Hedge, attempt: Attempt) -> None:
    # Where only the whole was timed, that is what copies are measured by.
    hedge.observe(attempt.target, (attempt.first_ms or attempt.total_ms) / 1e3)
