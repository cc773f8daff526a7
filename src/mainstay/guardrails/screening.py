"""A call's way through the rails of its route: the request looked at, the answer looked at, what was hidden put back.

Stands behind ``stage``, which imports none of it where a route has no rails.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from msgspec.structs import replace

from mainstay.core.answer import Answer, Frames
from mainstay.core.call import Call, Caller
from mainstay.core.events import Frame
from mainstay.core.stage import Onward
from mainstay.core.target import Operation
from mainstay.guardrails.aligning import aligned, as_stream
from mainstay.guardrails.compile import Railing
from mainstay.guardrails.incoming import Incoming
from mainstay.guardrails.outgoing import screen
from mainstay.guardrails.pictures import Pictures
from mainstay.guardrails.port import Reviews
from mainstay.guardrails.pseudonyms import derive_key
from mainstay.guardrails.rails import Trace
from mainstay.guardrails.restore import restore
from mainstay.guardrails.sending import Sending, SendPolicy
from mainstay.guardrails.toolcalls import with_calls_judged

__all__ = ["Rails"]

_SPOKEN = frozenset({Operation.CHAT, Operation.COMPLETION})


class Rails:
    """What a route's rails need for a call.

    Args:
        railing: the rails.
        master: the installation's secret, of which each tenant's key is made.
        reviews: where calls wait for a person.
        reads: whether files are read for the route's models, whose words are then looked at too.
        runs: whether tools are run for the route's models, whose results may be hidden while an answer streams.
        schema: whether answers are held to a form in JSON whatever the caller asks.
        sends: when a model may call tools that send data out; None: always.
        pictures: reads the words in images, for rails that want them.
    """

    def __init__(
        self,
        railing: Railing,
        master: bytes,
        reviews: Reviews,
        *,
        reads: bool = False,
        runs: bool = False,
        schema: bool = False,
        sends: SendPolicy | None = None,
        pictures: Pictures | None = None,
    ) -> None:
        self.railing = railing
        self._pictures = pictures
        self.answered = railing.answered
        self.reads = reads
        self.runs = runs
        self.schema = schema
        self._master = master
        self._reviews = reviews
        self._sends = sends
        self._keys: dict[str, bytes] = {}

    async def __call__(self, call: Call, onward: Onward) -> Answer:
        """Take a call through the rails, there and back."""
        trace = Trace(call.record.verdicts)
        incoming = Incoming(self.railing, call, trace, self._key(call.caller), self._reviews, self._pictures)
        answer: Answer | None = None
        sending: Sending | None = None
        if self._sends is not None and call.ask.operation is Operation.CHAT:
            sending = Sending(self._sends, call, self._reviews)
        try:
            call = await incoming.screened(reads=self.reads)
            if sending is not None:
                call = replace(call, gate=sending)
            found = await self._answered(await onward(call), call, incoming, trace)
            answer = found if sending is None else await with_calls_judged(found, sending)
        finally:
            # However it ends, what was found is on the record before that is settled.
            if answer is None or answer.frames is None:
                await _noted(incoming.beside)
        if answer.frames is not None and incoming.beside is not None:
            answer.frames = _Beside(answer.frames, incoming.beside)
        return answer

    async def _answered(self, answer: Answer, call: Call, incoming: Incoming, trace: Trace) -> Answer:
        ask, mapping = call.ask, incoming.mapping
        if ask.operation in _SPOKEN:
            form = ask.prompt.form
            schema = self.schema or (form is not None and form.kind != "text")
            grows = self.runs and incoming.hides
            if call.record.grounding is None or not (self.answered or mapping or grows):
                return await screen(answer, self.answered, trace, mapping, schema=schema, grows=grows)
            # Citations name places of the text, which may move.
            stream = as_stream(answer) if answer.whole is not None else answer
            screened = await screen(stream, self.answered, trace, mapping, schema=schema, grows=grows)
            return await aligned(screened, answer)
        whole = answer.whole
        if mapping and whole is not None and whole.wire:
            # What reranking gives back are the documents it was sent.
            wire = restore(whole.wire.decode("utf-8", "replace"), mapping, json=True)
            answer.whole = replace(whole, wire=wire.encode())
        return answer

    def _key(self, caller: Caller) -> bytes:
        tenant = f"{caller.organisation}\0{caller.team}"
        key = self._keys.get(tenant)
        if key is None:
            key = self._keys[tenant] = derive_key(self._master, tenant)
        return key


class _Beside:
    """Frames that end once what looks beside the call has looked; see :class:`~mainstay.core.answer.Frames`."""

    __slots__ = ("_beside", "_inner")

    def __init__(self, inner: Frames, beside: "asyncio.Task[None]") -> None:
        self._inner = inner
        self._beside = beside

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        batch: Sequence[Frame] | None = None
        try:
            batch = await self._inner.__anext__()
            return batch
        finally:
            # The end, or an error: the record is settled after it.
            if batch is None:
                await _noted(self._beside)

    async def aclose(self) -> None:
        await self._inner.aclose()
        await _noted(self._beside)


async def _noted(beside: "asyncio.Task[None] | None") -> None:
    """Wait for a look that has a time of its own. It takes notes and raises nothing."""
    if beside is not None:
        await asyncio.wait((beside,))
