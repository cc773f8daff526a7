"""One upstream call, from its admission to its end: what it does to the record and to what is known of the target.

Below the loop over attempts, above the rest of the line. Whether and whom to ask is decided elsewhere.
"""

from asyncio import CancelledError
from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import (
    CallerError,
    MainstayError,
    Unavailable,
    UpstreamFailed,
    UpstreamRateLimited,
    UpstreamTimeout,
)
from mainstay.core.record import Attempt
from mainstay.core.stage import Onward
from mainstay.core.target import Operation, Target
from mainstay.routing.admission import Ticket
from mainstay.routing.fit import output_limit
from mainstay.routing.limit import Outcome
from mainstay.routing.queue import cost
from mainstay.routing.signals import signal_of
from mainstay.routing.standing import Standing
from mainstay.routing.streams import Watched, hold

__all__ = ["Attempts"]

#: Tokens an answer is taken to have when the caller set no limit.
_ANSWER: Final = 256
#: Bytes of a request per token, about.
_BYTES: Final = 4
#: The same where the request is a file: an hour of speech is some 10,000 tokens.
_FILE: Final = 1024
_JSON: Final = b"application/json"
#: Asked for with every call; through its class a member of an enumeration takes three times as long to find.
_COUNT, _OK, _IGNORED = Operation.COUNT, Outcome.OK, Outcome.IGNORED


class Attempts:
    """Makes the upstream calls of one route.

    Args:
        standings: what is known of each target, by its model's name.
        held: keep a stream back until it is complete.
        paced: ask upstreams for a stream also where the caller wants the answer whole.
    """

    def __init__(self, standings: Mapping[str, Standing], *, held: bool = False, paced: bool = False) -> None:
        self._standings = standings
        self._held = held
        self._paced = paced

    async def make(self, call: Call, onward: Onward, target: Target, cause: str) -> Answer:
        """Ask ``target`` once; ``cause`` says why (see :class:`~mainstay.core.record.Attempt`).

        Raises:
            MainstayError: it failed, or was not let through; the class says how.
        """
        now = monotonic()
        if now >= call.deadline:
            raise UpstreamTimeout("The call's total time limit ran out before a model could be asked.")
        if call.forbids is not None and (forbidden := call.forbids(target)) is not None:
            # Whoever chose it: nothing leaves for a model that the policies keep it from.
            raise forbidden
        standing = self._standings[target.model]
        admission = standing.admission
        size = len(call.ask.raw) // (_BYTES if call.ask.kind == _JSON else _FILE)
        ticket: Ticket | None = None
        if admission is not None:
            # Only a call that must wait is weighed with care.
            ticket = admission.enter(call, size)
            if ticket is None:
                ticket = await admission.wait(call, cost(size, output_limit(call.ask) or _ANSWER))
                call.record.queued_ms += int(ticket.waited * 1e6) / 1e3
                now = monotonic()
        sent = _Sent(call, target, cause, standing, ticket, size + _ANSWER, now)
        try:
            answer = await onward(replace(call, target=target, attempt=sent.attempt, paced=self._paced))
            frames = answer.frames
            if frames is None:
                sent.answered(answer)
            elif self._held:
                answer.frames = await hold(frames, sent.attempt)
                sent.answered(answer)
            else:
                standing.began(monotonic())
                answer.frames = Watched(frames, sent.ended, sent.attempt)
        except CancelledError:
            sent.left()
            raise
        except MainstayError as error:
            sent.failed(error)
            raise
        return answer


class _Sent:
    """An upstream call under way; exactly one of its methods is called, once."""

    __slots__ = ("_counting", "_record", "_standing", "_started", "_ticket", "_tokens", "attempt")

    def __init__(
        self,
        call: Call,
        target: Target,
        cause: str,
        standing: Standing,
        ticket: Ticket | None,
        tokens: int,
        started: float,
    ) -> None:
        self._started = started
        self._record = record = call.record
        self._standing = standing
        self._ticket = ticket
        self._tokens = tokens
        self._counting = call.ask.operation is _COUNT
        self.attempt = Attempt(
            target=target.model,
            provider=target.provider,
            cause=cause,
            offset_ms=int((started - call.started) * 1e6) / 1e3,
        )
        record.attempts.append(self.attempt)
        record.target, record.provider, record.vendor = target.model, target.provider, target.vendor
        standing.begin(tokens, started)

    def answered(self, answer: Answer | None) -> None:
        """The answer is complete."""
        now = monotonic()
        first = self.attempt.first_ms
        seconds = first / 1e3 if first is not None else None
        self._standing.end(self._tokens)
        # Where only the whole was timed, targets are compared by that; a count of tokens tells nothing of answers.
        self._standing.answered(None if self._counting else seconds or now - self._started, now)
        if answer is not None and answer.whole is not None:
            self.attempt.usage = answer.whole.usage
        if self._ticket is not None:
            usage = answer.whole.usage if answer is not None and answer.whole is not None else self._record.usage
            self._ticket.leave(
                _IGNORED if self._counting else _OK,
                first_token=seconds,
                seconds=now - self._started,
                tokens_in=usage.input if usage is not None else None,
                tokens_out=usage.output if usage is not None else None,
            )

    def ended(self, error: MainstayError | None, left: bool) -> None:
        """A stream that had begun well has ended: broken by ``error``, or left early, or complete."""
        if error is not None:
            self._lost(error)
        elif left:
            self.left()
        else:
            self.answered(None)

    def left(self) -> None:
        """Nobody waits for it any more."""
        now = monotonic()
        attempt = self.attempt
        attempt.outcome = attempt.outcome or "caller_gone"
        attempt.total_ms = attempt.total_ms or since_ms(self._started)
        self._standing.end(self._tokens)
        self._standing.left(now)
        self._leave(Outcome.IGNORED, now)

    def failed(self, error: MainstayError) -> None:
        """It failed before anything of it was handed on."""
        self._lost(error)
        attempt = self.attempt
        if isinstance(error, CallerError) and not attempt.status:
            # Refused before anything was sent: no upstream was called.
            self._record.attempts.remove(attempt)
            return
        attempt.outcome = error.code
        attempt.status = attempt.status or (error.status if isinstance(error, Unavailable) else 0)
        attempt.total_ms = attempt.total_ms or since_ms(self._started)

    def _lost(self, error: MainstayError) -> None:
        now = monotonic()
        self._standing.end(self._tokens)
        self._standing.failed(error, signal_of(error), now, now - self._started)
        self._leave(Outcome.DROPPED if _overload(error) else Outcome.IGNORED, now)

    def _leave(self, outcome: Outcome, now: float) -> None:
        if self._ticket is not None:
            self._ticket.leave(outcome, first_token=None, seconds=now - self._started, tokens_in=None, tokens_out=None)


def _overload(error: MainstayError) -> bool:
    """Whether an upstream failed as one that has too much to do."""
    return isinstance(error, UpstreamRateLimited | UpstreamTimeout) or (
        isinstance(error, UpstreamFailed) and error.status == 503
    )
