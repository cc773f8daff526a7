"""Simulated time: a real event loop whose clock jumps to the next timer, and upstreams with a known capacity."""

import asyncio
import selectors
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["Busy", "Slots", "simulate"]

T = TypeVar("T")


class _Jump(selectors.SelectSelector):
    """Waits for nothing: adds the time it should have waited to the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        assert timeout is not None, "nothing will ever happen again"
        self.now += max(timeout, 0.0)
        return []


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def simulate(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` in simulated time, which ``asyncio.get_running_loop().time`` shows; it begins at 0."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)


class Busy(Exception):
    """The upstream's 429."""


class Slots:
    """An upstream that serves ``slots`` calls at once, first come first served.

    Args:
        slots: change it at any time; calls in service go on.
        prefill: seconds to the first token once served.
        per_token: seconds per token of the answer.
        queue: calls that wait inside; what is more gets :class:`Busy`.
        vary: what the prefill of the next call is multiplied by.
    """

    def __init__(
        self,
        slots: int,
        prefill: float = 0.2,
        per_token: float = 0.02,
        queue: int = 1_000_000,
        vary: Callable[[], float] = lambda: 1.0,
    ) -> None:
        self._vary = vary
        self.slots, self.prefill, self.per_token, self.queue = slots, prefill, per_token, queue
        self.serving = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def answer(self, tokens: int) -> tuple[float, float]:
        """Return seconds to the first token and in all."""
        loop = asyncio.get_running_loop()
        came = loop.time()
        if self.serving < self.slots and not self.waiting:
            self.serving += 1
        elif len(self.waiting) >= self.queue:
            raise Busy
        else:
            turn = loop.create_future()
            self.waiting.append(turn)
            # Whoever wakes it has taken the slot for it.
            await turn
        prefill = self.prefill * self._vary()
        first = loop.time() - came + prefill
        await asyncio.sleep(prefill + tokens * self.per_token)
        self.serving -= 1
        while self.waiting and self.serving < self.slots:
            self.serving += 1
            self.waiting.popleft().set_result(None)
        return first, loop.time() - came
