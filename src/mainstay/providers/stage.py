"""The last stage of the line: hand the attempt to its target's provider, unless the target cannot do what is asked."""

from collections.abc import Mapping

from msgspec.structs import replace

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Ask, Call
from mainstay.core.errors import MainstayError, Unsupported, UpstreamFailed
from mainstay.core.events import Dialect
from mainstay.core.record import Attempt
from mainstay.core.stage import Onward
from mainstay.core.target import Operation, Target
from mainstay.providers.anthropic import estimate, write_count
from mainstay.providers.completions import CompletionAsked, as_chat, ask_each, singles
from mainstay.providers.openai.requests import refuse
from mainstay.providers.places import name_place
from mainstay.providers.port import Provider

__all__ = ["CallProvider"]

#: How an upstream says that it has no such operation.
_HAS_NOT = (404, 405, 501)


class CallProvider:
    """Asks the provider of the call's target.

    Args:
        providers: those that talk, by the name each has in the configuration.
        others: those of each other operation, by the same names. Counts that nobody makes are estimated, and
            completions that nobody has are conversations.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        others: Mapping[Operation, Mapping[str, Provider]] | None = None,
    ) -> None:
        self._providers = providers
        self._others = others or {}
        #: Models whose upstream said that it has no completions.
        self._talking: set[str] = set()

    async def __call__(self, call: Call, onward: Onward) -> Answer:
        target = call.target
        ask, attempt = call.ask, call.attempt
        assert target is not None
        assert attempt is not None
        if ask.operation is not Operation.CHAT:
            return await self._other(call, target, attempt)
        if ask.adapters:
            ask = await _adapted(ask, target)
            call = replace(call, ask=ask)
        if target.lacks and (missing := target.lacks & ask.features):
            raise refuse(ask, target.model, missing)
        provider = self._providers.get(target.provider)
        if provider is None or Operation.CHAT not in target.operations:
            raise _lacking(target, Operation.CHAT)
        try:
            return await provider.answer(call, target, attempt)
        except MainstayError as error:
            name_place(error, ask, sent=attempt.status != 0)
            raise

    async def _other(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        ask = call.ask
        operation = ask.operation
        if operation not in target.operations:
            raise _lacking(target, operation)
        if ask.adapters and operation is Operation.COUNT:
            ask = await _adapted(ask, target)
            call = replace(call, ask=ask)
        if target.lacks and (missing := target.lacks & ask.features):
            raise refuse(ask, target.model, missing)
        if operation is Operation.COUNT:
            return await self._count(call, target, attempt)
        if operation is Operation.COMPLETION:
            return await self._complete(call, target, attempt)
        provider = self._others.get(operation, {}).get(target.provider)
        if provider is None:
            raise _lacking(target, operation)
        return await provider.answer(call, target, attempt)

    async def _count(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        counter = self._others.get(Operation.COUNT, {}).get(target.provider)
        if counter is not None:
            try:
                return await counter.answer(call, target, attempt)
            except UpstreamFailed:
                if attempt.status not in _HAS_NOT:
                    raise
        attempt.outcome = "ok"
        body = write_count(estimate(call.ask.prompt))
        return Answer(target, whole=Whole(body, Dialect.ANTHROPIC, "", "", (), None))

    async def _complete(self, call: Call, target: Target, attempt: Attempt) -> Answer:
        """Ask for a completion where there is such a thing, and for a conversation elsewhere."""
        native = self._others.get(Operation.COMPLETION, {}).get(target.provider)
        # What a stage has changed is a conversation by then.
        if native is not None and call.ask.raw and target.model not in self._talking:
            try:
                # llama.cpp's server answers lists, and counts the tokens of one of their prompts only.
                asks = singles(call.ask) if target.vendor == "llamacpp" else (call.ask,)
                if len(asks) == 1:
                    return await native.answer(call, target, attempt)
                return await self._each(call, target, attempt, native)
            except UpstreamFailed:
                if attempt.status not in _HAS_NOT:
                    raise
        provider = self._providers.get(target.provider)
        if provider is None:
            raise _lacking(target, Operation.COMPLETION)
        answer = await self._each(call, target, attempt, provider, talk=True)
        if native is not None and call.ask.raw:
            self._talking.add(target.model)
        return answer

    async def _each(
        self, call: Call, target: Target, attempt: Attempt, provider: Provider, *, talk: bool = False
    ) -> Answer:
        async def one(ask: Ask, own: Attempt) -> Answer:
            if talk:
                ask = await _adapted(as_chat(ask, target.model), target)
            try:
                return await provider.answer(replace(call, ask=ask), target, own)
            except MainstayError as error:
                name_place(error, ask, sent=own.status != 0)
                raise

        asks = singles(call.ask)
        if len(asks) == 1:
            return await one(asks[0], attempt)
        asked = call.ask.found
        choices = asked.choices if isinstance(asked, CompletionAsked) else 1
        return await ask_each(asks, choices, attempt, one)


def _lacking(target: Target, operation: Operation) -> Unsupported:
    return Unsupported(f"The model '{target.model}' has no {operation}; choose another model.", param="model")


async def _adapted(ask: Ask, target: Target) -> Ask:
    """Return ``ask`` as ``target`` can take it; the caller's own bytes stay where nothing changes."""
    prompt = ask.prompt
    for adapt in ask.adapters:
        prompt = await adapt(prompt, target)
    return ask if prompt is ask.prompt else ask.asking(prompt)
