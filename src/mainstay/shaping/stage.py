"""The line's step that holds an answer to its form: judge, repair what is the same, ask again, and never fail open.

The edge: it asks and counts. What a form is stands in ``asked``, whether an answer has it in ``verdict``, what passes
of a stream in ``streams``.
"""

import re
from collections.abc import Awaitable, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from mainstay.core.answer import Answer, SingleFrame
from mainstay.core.call import Adapter, Ask, Call
from mainstay.core.clock import monotonic
from mainstay.core.errors import InvalidRequest, MainstayError, UpstreamRefused
from mainstay.core.estimate import answer_usage
from mainstay.core.events import Event, Frame, Metered
from mainstay.core.fold import fold
from mainstay.core.prompt import Message, OutputForm, Prompt
from mainstay.core.stage import Onward
from mainstay.core.target import FORMS, TALKS, Feature, Operation, Target
from mainstay.core.usage import Usage, add_up
from mainstay.shaping.asked import Asked, find_form, instruct, may_ask, show_examples, worded
from mainstay.shaping.config import PinConfig
from mainstay.shaping.json import Json
from mainstay.shaping.pin import pinned
from mainstay.shaping.port import Form, Misfit
from mainstay.shaping.streams import Checked, ListedFrames, collect
from mainstay.shaping.templates import Reference, Rendered, Templates, read_reference, show
from mainstay.shaping.verdict import judge, reask, refusal

__all__ = ["Limits", "Shape"]


#: What upstreams say of a schema that their own mode cannot take.
_ABOUT_FORM: Final = re.compile(r"schema|response_format|grammar|output_config|parser", re.IGNORECASE)


class Limits(msgspec.Struct, frozen=True):
    """How far one call may go to get an answer that fits; see ``FormConfig`` and ``RouteConfig.attempts``."""

    reasks: int = 2
    attempts: int = 4
    tokens: int = 100_000
    cost: Decimal | None = None


class Shape:
    """Holds answers to the form their caller or their route asks for.

    Args:
        enforce: which forms of callers are held.
        hold: keep streams back until they fit.
        limits: how often an answer is asked for again.
        output: the route's own form, for callers who ask for none.
        native: ``output`` as a field, for models that have a mode for it.
        examples: questions and answers shown before the conversation.
        templates: the prompts that requests may name; None: a request's ``prompt`` is a field like any other.
        prompt: the prompt of every call of the route, "" for none.
        pin: what every call is asked with, so that it can be repeated.
    """

    def __init__(
        self,
        enforce: Literal["strict", "always", "never"] = "strict",
        *,
        hold: bool = False,
        limits: Limits | None = None,
        output: Form | None = None,
        native: OutputForm | None = None,
        examples: Sequence[tuple[str, str]] = (),
        templates: Templates | None = None,
        prompt: str = "",
        pin: PinConfig | None = None,
    ) -> None:
        self._enforce = enforce
        self._hold = hold
        self._limits = limits or Limits()
        self._output = output
        self._native = native
        self._examples = tuple(examples)
        self._templates = templates
        self._prompt = prompt
        self._pin = pinned(pin) if pin is not None else None
        self._own = output is not None or bool(examples) or bool(prompt) or pin is not None
        self._tools = enforce == "always"

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]:
        # A function and no coroutine: for a call that asks for no form this costs two searches.
        ask = call.ask
        if ask.operation is not Operation.CHAT and not self._concerns(ask.operation):
            return onward(call)
        raw = ask.raw
        if (
            raw
            and not self._own
            and not call.wished_prompt
            and not may_ask(raw)
            and not (self._tools and b'"tools"' in raw)
            and not (self._templates is not None and b'"prompt"' in raw)
        ):
            return onward(call)
        return self._shape(call, onward)

    def _concerns(self, operation: Operation) -> bool:
        """Whether there is a form to hold: a completion has the route's own only, and what is no text has none."""
        return operation in TALKS and (operation is Operation.COUNT or self._own)

    async def _shape(self, call: Call, onward: Onward) -> Answer:
        ask, rendered = self._named(call.ask, call.wished_prompt)
        if rendered is not None:
            call.record.prompt = rendered.label
        counts = ask.operation is Operation.COUNT
        asked = None if counts else find_form(ask.prompt, ask.dialect, self._enforce, self._output)
        ask = self._prepared(ask, asked, rendered)
        call = replace(call, ask=ask)
        if asked is None:
            return await onward(call)
        # Rounds of tools ask several times in one call: what was asked before is not this answer's.
        begun = len(call.record.attempts)
        answer, call = await self._ask(call, onward, begun)
        if asked.loose and not answer.target.lacks & FORMS:
            return answer
        if answer.frames is None:
            return await self._settle(call, onward, asked, answer, begun)
        # Only JSON can be judged in passing, and only a model with a mode for it writes nothing else.
        native = call.ask.prompt.form is not None and not answer.target.lacks & FORMS
        plain = asked.text is None or (isinstance(asked.text, Json) and native)
        if not plain or (self._hold and not asked.loose):
            return await self._settle(call, onward, asked, answer, begun)
        if asked.strict:
            answer.frames = Checked(answer.frames, asked, call.record)
        return answer

    def _named(self, ask: Ask, wished: str) -> tuple[Ask, Rendered | None]:
        """Return the request without the name of its prompt, and the prompt, filled.

        ``wished`` stands in the place of the route's own, also where the request names that.

        Raises:
            InvalidRequest: there is no such prompt, it is not this route's, or a value is wrong.
        """
        named = ask.prompt.extra.get("prompt") if self._templates is not None else None
        own = wished or self._prompt
        if self._templates is None or (named is None and not own):
            return ask, None
        reference = read_reference(bytes(named)) if named is not None else Reference(own)
        base = reference.name.partition("@")[0]
        if self._prompt and base not in (self._prompt.partition("@")[0], own.partition("@")[0]):
            raise InvalidRequest(
                f"The prompt of this route is '{own}'; name that, or leave 'prompt' out.", param="prompt"
            )
        if self._prompt and (base != own.partition("@")[0] or "@" not in reference.name):
            reference = replace(reference, name=own)
        rendered = self._templates.render(reference)
        extra = {name: value for name, value in ask.prompt.extra.items() if name != "prompt"}
        return ask.asking(replace(ask.prompt, extra=extra)), rendered

    def _prepared(self, ask: Ask, asked: Asked | None, rendered: Rendered | None) -> Ask:
        """Return the request as it goes on: with its prompt, examples and form, and fit for each model it may meet."""
        own = self._output if asked is not None and asked.text is not None and asked.text is self._output else None

        given = ask.prompt

        def compose(filled: Rendered | None) -> Prompt:
            prompt = show(filled, given) if filled is not None else given
            if self._examples:
                prompt = show_examples(prompt, self._examples)
            if own is None:
                return prompt
            if self._native is not None:
                return replace(prompt, form=self._native)
            return replace(prompt, messages=instruct(prompt.messages, own.words()))

        prompt = compose(rendered)
        if prompt is not given:
            ask = ask.asking(prompt)
        if rendered is not None and rendered.variants:
            variants = {model: compose(filled).messages for model, filled in rendered.variants.items()}
            # First of all: what others do to the messages is done to the variant's too.
            ask = replace(ask, adapters=(_variant(variants, len(prompt.messages)), *ask.adapters))
        if self._pin is not None:
            ask = replace(ask, adapters=(*ask.adapters, self._pin), spared=ask.spared | {Feature.SEED})
        return _sayable(ask)

    async def _ask(self, call: Call, onward: Onward, begun: int) -> tuple[Answer, Call]:
        """Ask in the model's own mode, and in words where an upstream cannot make sense of the schema.

        ``begun`` is how many attempts the record had before this answer was asked for. Returns the answer and the call
        that it answers.
        """
        record = call.record
        try:
            return await onward(call), call
        except UpstreamRefused as error:
            made = len(record.attempts)
            spent = made - begun >= self._limits.attempts
            if not call.ask.spared & FORMS or spent or not _ABOUT_FORM.search(error.message):
                raise
        call = replace(call, ask=call.ask.asking(worded(call.ask.prompt)))
        answer = await onward(call)
        if made < len(record.attempts):
            record.attempts[made].cause = "reword"
        return answer, call

    async def _settle(self, call: Call, onward: Onward, asked: Asked, answer: Answer, begun: int) -> Answer:
        """Return ``answer`` once it fits, or another that does.

        Raises:
            OutputInvalid: none did within the limits.
        """
        record = call.record
        spent: list[Usage] = []
        cost = Decimal(0)
        batches = await _collected(answer)
        while True:
            events = _events(answer, batches)
            usage = answer_usage(call.ask.prompt, events)
            spent.append(usage)
            cost += _cost(answer, usage)
            try:
                settled = judge(asked, events)
                break
            except Misfit as misfit:
                if record.attempts:
                    record.attempts[-1].detail = f"form: {misfit.flaws[0].rule}"
                record.usage = add_up(spent)
                again = None
                if not asked.loose and self._may_reask(call, spent, cost, begun):
                    call = replace(call, ask=_sayable(call.ask.asking(reask(call.ask.prompt, events, misfit))))
                    again = await self._reask(call, onward, begun)
                if again is None:
                    if asked.strict:
                        raise refusal(events, misfit, len(spent)) from misfit
                    settled = None
                    break
            answer, call, batches = again
        return _handed_on(answer, batches, events, settled, spent)

    async def _reask(
        self, call: Call, onward: Onward, begun: int
    ) -> tuple[Answer, Call, Sequence[Sequence[Frame]]] | None:
        """Return the next answer, or None where none comes: then the one that there is counts, and not why."""
        record = call.record
        made = len(record.attempts)
        served = record.target, record.provider, record.vendor
        try:
            answer, call = await self._ask(call, onward, begun)
            return answer, call, await _collected(answer)
        except MainstayError:
            record.target, record.provider, record.vendor = served
            return None
        finally:
            if made < len(record.attempts):
                record.attempts[made].cause = "reask"

    def _may_reask(self, call: Call, spent: Sequence[Usage], cost: Decimal, begun: int) -> bool:
        limits = self._limits
        used = sum(usage.input + usage.output for usage in spent)
        return (
            len(spent) <= limits.reasks
            and len(call.record.attempts) - begun < limits.attempts
            and used < limits.tokens
            and (limits.cost is None or cost < limits.cost)
            and monotonic() < call.deadline
        )


def _sayable(ask: Ask) -> Ask:
    """Return ``ask`` with a way to ask for its form in words, should a model have no mode for it."""
    form = ask.prompt.form
    if form is None or form.kind == "text" or _in_words in ask.adapters:
        return ask
    return replace(ask, adapters=(*ask.adapters, _in_words), spared=ask.spared | FORMS)


def _variant(variants: Mapping[str, tuple[Message, ...]], composed: int) -> Adapter:
    """Return what puts a model's own variant in place of the first ``composed`` messages."""

    async def adapt(prompt: Prompt, target: Target) -> Prompt:
        own = variants.get(target.model)
        return prompt if own is None else replace(prompt, messages=(*own, *prompt.messages[composed:]))

    return adapt


async def _in_words(prompt: Prompt, target: Target) -> Prompt:
    form = prompt.form
    if form is None or form.kind == "text":
        return prompt
    feature = Feature.JSON if form.kind == "json" else Feature.SCHEMA
    return worded(prompt) if feature in target.lacks else prompt


async def _collected(answer: Answer) -> Sequence[Sequence[Frame]]:
    return await collect(answer.frames) if answer.frames is not None else []


def _events(answer: Answer, batches: Sequence[Sequence[Frame]]) -> tuple[Event, ...]:
    if answer.whole is not None:
        return answer.whole.events
    return fold(event for batch in batches for frame in batch for event in frame.events).events


def _cost(answer: Answer, usage: Usage) -> Decimal:
    prices = answer.target.prices
    if prices is None:
        return Decimal(0)
    return (Decimal(str(prices[0])) * usage.input + Decimal(str(prices[1])) * usage.output) / 1_000_000


def _handed_on(
    answer: Answer,
    batches: Sequence[Sequence[Frame]],
    events: tuple[Event, ...],
    settled: tuple[Event, ...] | None,
    spent: Sequence[Usage],
) -> Answer:
    """Return the answer as its caller gets it: as it came where nothing had to change."""
    if settled is None and len(spent) == 1:
        if batches:
            answer.frames = ListedFrames(batches)
        return answer
    usage = add_up(spent)
    kept = [event for event in settled or events if not isinstance(event, Metered)]
    whole = answer.whole
    if whole is None:
        answer.frames = SingleFrame(Frame((*kept, Metered(usage))))
    else:
        answer.whole = replace(whole, wire=b"", usage=usage, decode=None, _events=(*kept, Metered(usage)))
    return answer
