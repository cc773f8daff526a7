"""A provider of one task behind HTTP: sent like any other call, and read by what was asked."""

from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.ports import Transport
from mainstay.core.record import Attempt
from mainstay.core.target import Target
from mainstay.providers.http import Endpoint, HttpProvider
from mainstay.providers.tasks.exchange import Task

__all__ = ["TaskProvider"]

_JSON = b"application/json"


class TaskProvider:
    """Answers attempts by calling one upstream; see :class:`~mainstay.providers.port.Provider`."""

    def __init__(self, task: Task, endpoint: Endpoint, transport: Transport) -> None:
        self._task = task
        self._endpoint = endpoint
        self._transport = transport

    async def answer(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        """Ask once."""
        ask, endpoint = call.ask, self._endpoint
        if ask.kind != _JSON:
            headers = [(name, ask.kind if name == b"content-type" else value) for name, value in endpoint.headers]
            endpoint = replace(endpoint, headers=tuple(headers))
        provider = HttpProvider(self._task.about(ask, target), endpoint, self._transport)
        # A task that is not streamed to its caller is not streamed at all.
        return await provider.answer(replace(call, paced=False) if call.paced else call, target, attempt)

    async def aclose(self) -> None:
        """The transport is shared; its owner closes it."""
