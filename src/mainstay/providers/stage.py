"""The last stage of the line: hand the attempt to its target's provider, unless the target cannot do what is asked."""

from collections.abc import Mapping

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Call
from mainstay.core.errors import UpstreamFailed
from mainstay.core.events import Dialect
from mainstay.core.record import Attempt
from mainstay.core.stage import Onward
from mainstay.core.target import Target
from mainstay.providers.anthropic import estimate, locate, write_count
from mainstay.providers.openai.requests import refuse
from mainstay.providers.port import Provider

__all__ = ["CallProvider"]

#: How an upstream says that it does not count tokens.
_NO_COUNT = (404, 405, 501)


class CallProvider:
    """Asks the provider of the call's target.

    Args:
        providers: by the name each has in the configuration.
        counters: those that can count the tokens of a prompt; for the others it is estimated.
    """

    def __init__(self, providers: Mapping[str, Provider], counters: Mapping[str, Provider] | None = None) -> None:
        self._providers = providers
        self._counters = counters or {}

    async def __call__(self, call: Call, onward: Onward) -> Answer:
        target = call.target
        ask = call.ask
        assert target is not None
        assert call.attempt is not None
        if target.lacks and (missing := target.lacks & ask.features):
            raise refuse(ask, target.model, missing, locate if ask.dialect is Dialect.ANTHROPIC else None)
        if ask.counting:
            return await self._count(call, target, call.attempt)
        return await self._providers[target.provider].answer(call, target, call.attempt)

    async def _count(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        counter = self._counters.get(target.provider)
        if counter is not None:
            try:
                return await counter.answer(call, target, attempt)
            except UpstreamFailed:
                if attempt.status not in _NO_COUNT:
                    raise
        attempt.outcome = "ok"
        body = write_count(estimate(call.ask.prompt))
        return Answer(target, whole=Whole(body, Dialect.ANTHROPIC, "", "", (), None))
