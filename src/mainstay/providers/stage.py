"""The last stage of the line: hand the attempt to its target's provider."""

from collections.abc import Mapping

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.stage import Onward
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
        assert call.target is not None
        assert call.attempt is not None
        return await self._providers[call.target.provider].answer(call, call.target, call.attempt)
