"""Claims of an answer checked beside it: words do not wait for their verdicts, unless a policy says so."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from mainstay.core.clock import monotonic
from mainstay.core.errors import Unavailable
from mainstay.core.sources import Verdict
from mainstay.grounding.attribution import Passages
from mainstay.grounding.claims import question_of
from mainstay.grounding.policies import Rule, verdict_of
from mainstay.grounding.port import Support

__all__ = ["Check", "Checked", "Checks", "bearing"]

#: Checks pairs of a claim and evidence; see ``Library.check``.
Check = Callable[[Sequence[tuple[str, str]]], Awaitable[Sequence[Support]]]

#: Sources that a claim without a citation is checked against, and claims of one answer that are checked.
_NEAREST: Final = 2
_MOST: Final = 200
#: Least probability of support that cites a claim which nobody marked.
_SURE: Final = 0.8


class Checked(msgspec.Struct, frozen=True):
    """What came of checking one claim: its verdict, and the own one of each source (by number) that it was held
    against."""

    verdict: Verdict = "unchecked"
    score: float | None = None
    each: Mapping[int, tuple[Verdict, float | None]] = {}


def bearing(claim: str, checked: Checked, passages: Passages) -> tuple[int, ...]:
    """Return the number of the source that bears out a claim which nobody marked, by its words and by the check."""
    if checked.verdict != "supported":
        return ()
    by = {number: score or 0.0 for number, (verdict, score) in checked.each.items() if verdict == "supported"}
    may = [number for number in passages.likely(claim) if by.get(number, 0.0) >= _SURE]
    return (max(may, key=lambda number: by[number]),) if may else ()


_UNCHECKED: Final = Checked()


class Checks:
    """The checks of one answer.

    Args:
        rule: when a claim is supported.
        passages: its sources.
        check: what checks; None: nobody does.
    """

    def __init__(self, rule: Rule, passages: Passages, check: Check | None) -> None:
        self._rule = rule
        self._passages = passages
        self._check = check if rule.unsupported is not None and passages.sources else None
        self._tasks: list[asyncio.Task[Checked]] = []

    def start(self, claim: str, before: str, numbers: Sequence[int]) -> "asyncio.Task[Checked] | None":
        """Begin to check ``claim``, which follows the claim ``before``, against the sources that it cites; None where
        it is not checked."""
        if self._check is None or len(self._tasks) >= _MOST:
            return None
        task = asyncio.get_running_loop().create_task(self._work(question_of(claim, before), tuple(numbers)))
        self._tasks.append(task)
        return task

    async def settle(self, tasks: Sequence["asyncio.Task[Checked] | None"], seconds: float) -> list[Checked]:
        """Return what came of ``tasks``, after so many seconds at most; what is not there then is unchecked."""
        waiting = [task for task in tasks if task is not None]
        end = monotonic() + seconds
        if waiting:
            await asyncio.wait(waiting, timeout=max(0.0, end - monotonic()))
        return [task.result() if task is not None and task.done() else _UNCHECKED for task in tasks]

    async def stop(self) -> None:
        """Give up what is still being checked."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _work(self, claim: str, numbers: tuple[int, ...]) -> Checked:
        assert self._check is not None
        against = numbers or self._passages.nearest(claim, _NEAREST)
        texts = [self._passages.sources[number - 1].text for number in against]
        pairs = [(claim, text) for text in texts]
        if len(numbers) > 1:
            # Several may bear out together what none says alone.
            pairs.append((claim, "\n\n".join(texts)))
        try:
            found = await self._check(pairs)
        except Unavailable:
            return _UNCHECKED
        verdict, score = verdict_of(found, self._rule)
        each = {number: verdict_of((one,), self._rule) for number, one in zip(against, found, strict=False)}
        return Checked(verdict, score, each)
