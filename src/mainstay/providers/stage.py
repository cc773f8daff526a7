"""The last stage of the line: hand the attempt to its target's provider, unless the target cannot do what is asked."""

from collections.abc import Mapping

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.stage import Onward
from mainstay.providers.openai.requests import refuse
from mainstay.providers.port import Provider

__all__ = ["CallProvider"]


class CallProvider:
    """Asks the provider of the call's target.

    Args:
        providers: by the name each has in the configuration.
    """

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers

    async def __call__(self, call: Call, onward: Onward) -> Answer:
        target = call.target
        assert target is not None
        assert call.attempt is not None
        if target.lacks and (missing := target.lacks & call.ask.features):
            raise refuse(call.ask, target.model, missing)
        return await self._providers[target.provider].answer(call, target, call.attempt)
