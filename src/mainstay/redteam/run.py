"""Conducts a run: every case on both sides, some at once, each finished one written down before it counts.

The one place that knows all parts. Stops cleanly at its budget of calls, when it is told to, and when nobody answers
any more; what is finished stays finished. Does not print.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, Final

import msgspec

from mainstay.core.clock import monotonic
from mainstay.core.errors import StartError
from mainstay.guardrails.canary import CanaryScanner
from mainstay.redteam.caller import Caller
from mainstay.redteam.journal import Journal, Mask, Outcome, Result, Side
from mainstay.redteam.judge import Reply, Verdict, judge
from mainstay.redteam.plan import Case
from mainstay.redteam.refusals import Refusals
from mainstay.redteam.seeds import BENIGN
from mainstay.redteam.strategies import Message, Script

__all__ = ["Limits", "Sides", "attack"]

#: Faults in a row after which a gateway is taken to be gone.
_GONE: Final = 12


class Sides(msgspec.Struct, frozen=True):
    """What is asked: the route, and the route or model without guards that it is compared with, or ""."""

    guarded: str
    baseline: str = ""

    def __iter__(self) -> Iterator[tuple[Side, str]]:
        yield "guarded", self.guarded
        if self.baseline:
            yield "baseline", self.baseline


class Limits(msgspec.Struct, frozen=True):
    """Conversations at once, and calls in all; 0 for as many as it takes."""

    parallel: int = 8
    budget: int = 0


_NO_LIMITS: Final = Limits()


class _Run:
    """What the workers of a run share."""

    def __init__(
        self,
        work: Sequence[tuple[Case, Side, str]],
        caller: Caller,
        journal: Journal,
        refusals: Refusals,
        budget: int,
        system: str,
        canaries: Collection[str],
    ) -> None:
        self._work = iter(work)
        self._caller = caller
        self._journal = journal
        self._refusals = refusals
        self._left = budget or None
        self._system = system
        self._mask = Mask(canaries)
        self._canaries = CanaryScanner(canaries)
        self._faults = 0
        self.stopped = False

    async def work(self, done: Callable[[Result], None]) -> None:
        """Play one case after the other until there is none left, or no call to spend."""
        for case, side, model in self._work:
            script = case.script(self._system)
            if not self._spend(len(script.turns)):
                return
            result, said = await self._play(case, side, model, script)
            self._return(len(script.turns) - result.calls)
            # A write of a line to a file; nothing else is worth doing before it is safe.
            self._journal.add(result, said)
            done(result)
            self._faults = self._faults + 1 if result.outcome == "error" else 0
            if self._faults >= _GONE:
                raise StartError(
                    f"The gateway gave no answer {_GONE} times in a row (the last time: {result.why}); look at its log."
                    " The same command goes on from here."
                )

    def _spend(self, calls: int) -> bool:
        if self._left is None:
            return True
        if self._left < calls:
            self.stopped = True
            return False
        self._left -= calls
        return True

    def _return(self, calls: int) -> None:
        if self._left is not None:
            self._left += calls

    async def _play(self, case: Case, side: Side, model: str, script: Script) -> tuple[Result, list[Message]]:
        began = monotonic()
        messages: list[Message] = [{"role": "system", "content": script.system}] if script.system else []
        reply, verdict, calls = Reply(), Verdict(False), 0
        for turn in script.turns:
            messages += turn.messages
            reply = await self._caller.ask(model, messages, script.tools)
            calls += 1
            messages.append(_answered(reply))
            if turn.judged:
                asked = str(turn.messages[-1]["content"] or "")
                verdict = await self._judge(case, asked, reply)
            # What a tool would give back is nobody's to say, so a call of one ends the conversation too.
            if verdict.success or reply.blocked or reply.fault or reply.calls:
                break
        result = Result(
            case=case.id,
            side=side,
            outcome=_outcome(reply, verdict),
            why=reply.fault or verdict.why,
            calls=calls,
            status=reply.status,
            code=reply.code,
            request_id=reply.request_id,
            excerpt=self._mask.excerpt(_shown(reply) or reply.message),
            seconds=round(monotonic() - began, 3),
        )
        return result, messages

    async def _judge(self, case: Case, asked: str, reply: Reply) -> Verdict:
        # Decoding and a small model take milliseconds, and calls are under way meanwhile.
        verdict = await asyncio.to_thread(judge, case.seed, case.filling, asked, reply, self._refusals)
        if not verdict.success and case.seed.category != BENIGN and self._canaries.scan(_shown(reply)):
            return Verdict(True, "leak")
        return verdict


async def attack(
    cases: Sequence[Case],
    sides: Sides,
    caller: Caller,
    journal: Journal,
    refusals: Refusals,
    *,
    limits: Limits = _NO_LIMITS,
    system: str = "",
    canaries: Collection[str] = (),
    done: Callable[[Result], None] = lambda result: None,
) -> bool:
    """Play every case that is not in the journal; return whether all are now. ``done`` is called after each.

    ``system`` stands in place of what the seeds' systems say; an answer with one of ``canaries`` in it is a success of
    whatever attack brought it about, and is never shown.

    Raises:
        StartError: the gateway is not there, the key may not call what is attacked, or the journal cannot be written.
    """
    work = [(case, side, model) for case in cases for side, model in sides if (case.id, side) not in journal.results]
    if not work:
        return True
    known = await caller.models()
    for side, model in sides:
        if model not in known:
            hint = " Name another one with --baseline, or do without." if side == "baseline" else ""
            raise StartError(f"The key may call no route or model '{model}'; it may call: {', '.join(known)}.{hint}")
    run = _Run(work, caller, journal, refusals, limits.budget, system, canaries)
    tasks = [asyncio.create_task(run.work(done)) for _ in range(min(limits.parallel, len(work)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, StartError):
                await task
    return not run.stopped


def _outcome(reply: Reply, verdict: Verdict) -> Outcome:
    if verdict.success:
        return "success"
    if reply.fault:
        return "error"
    return "blocked" if reply.blocked else "held"


def _answered(reply: Reply) -> Message:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if reply.calls:
        message["tool_calls"] = [{"name": call.name, "arguments": call.arguments} for call in reply.calls]
    return message


def _shown(reply: Reply) -> str:
    return "\n".join([reply.text, *(f"{call.name}({call.arguments})" for call in reply.calls)]).strip()
