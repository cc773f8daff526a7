"""The only loop over attempts: choose a target, ask it, and go on to the next while nothing has been answered.

Retries on the same target, hedging and breakers belong here too; what an error allows is read from its class.
"""

from asyncio import CancelledError
from collections.abc import Sequence

from msgspec.structs import replace

from mainstay.core.answer import Answer, SingleFrame, Whole
from mainstay.core.call import Call
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import CallerError, MainstayError, Unavailable, Unsupported, UpstreamTimeout
from mainstay.core.events import Finished, FinishReason, Frame, Metered, Started, TextDelta
from mainstay.core.record import Attempt
from mainstay.core.stage import Onward
from mainstay.core.target import Target
from mainstay.core.usage import Usage
from mainstay.routing.port import Chooser

__all__ = ["Route"]


class Route:
    """Tries a route's targets, then its fallbacks, each at most once.

    Args:
        chooser: orders ``targets`` for each call.
        targets: the route's own targets.
        fallback: models to ask, in order, after every target failed.
        attempts: the most upstream calls for one request.
        last_resort: what to answer when every attempt failed; None raises the first error.
    """

    def __init__(
        self,
        chooser: Chooser,
        targets: Sequence[Target],
        fallback: Sequence[Target] = (),
        attempts: int = 1,
        last_resort: str | None = None,
    ) -> None:
        self._chooser = chooser
        self._targets = targets
        self._fallback = tuple(fallback)
        self._attempts = attempts
        self._last_resort = last_resort
        # With one target and nowhere to go there is nothing to decide.
        self._only = targets[0] if len(targets) == 1 and not fallback and last_resort is None else None

    async def __call__(self, call: Call, onward: Onward) -> Answer:
        if self._only is not None:
            return await self._attempt(call, onward, self._only, "first")
        ordered = self._chooser.order(call, self._targets)
        names = {target.model for target in ordered}
        plan = (*ordered, *(target for target in self._fallback if target.model not in names))[: self._attempts]
        first_error: MainstayError | None = None
        for target in plan:
            try:
                return await self._attempt(call, onward, target, "fallback" if first_error else "first")
            except MainstayError as error:
                if not (error.retryable or isinstance(error, Unsupported)):
                    raise
                # The first cause is what the caller can act on; later ones stand in the record.
                first_error = first_error or error
                if monotonic() >= call.deadline:
                    break
        assert first_error is not None
        if self._last_resort is not None and first_error.retryable:
            return _resort(call, plan[0], self._last_resort)
        raise first_error

    async def _attempt(self, call: Call, onward: Onward, target: Target, cause: str) -> Answer:
        started = monotonic()
        if started >= call.deadline:
            raise UpstreamTimeout("The call's total time limit ran out before a model could be asked.")
        attempt = Attempt(
            target=target.model,
            provider=target.provider,
            cause=cause,
            offset_ms=int((started - call.started) * 1e6) / 1e3,
        )
        record = call.record
        record.attempts.append(attempt)
        record.target, record.provider, record.vendor = target.model, target.provider, target.vendor
        try:
            return await onward(replace(call, target=target, attempt=attempt))
        except CancelledError:
            attempt.outcome = attempt.outcome or "caller_gone"
            attempt.total_ms = attempt.total_ms or since_ms(started)
            raise
        except MainstayError as error:
            if isinstance(error, CallerError) and not attempt.status:
                # Refused before anything was sent: no upstream was called.
                record.attempts.remove(attempt)
                raise
            attempt.outcome = error.code
            attempt.status = attempt.status or (error.status if isinstance(error, Unavailable) else 0)
            if not attempt.total_ms:
                attempt.total_ms = since_ms(started)
            raise


def _resort(call: Call, target: Target, text: str) -> Answer:
    """Answer with the route's own words; nothing was served, so no model is named and no token counted."""
    events = (Started(call.record.id), TextDelta(text), Finished(FinishReason.STOP), Metered(Usage()))
    nobody = replace(target, model="last_resort", provider="mainstay", vendor="mainstay")
    if call.ask.stream:
        return Answer(nobody, frames=SingleFrame(Frame(events)))
    whole = Whole(b"", call.ask.dialect, call.record.id, "last_resort", (FinishReason.STOP,), Usage(), lambda _: events)
    return Answer(nobody, whole=whole)
