"""The rails of outputs: everything a model says is looked at before it leaves, and its pseudonyms are given back.

Words, refusals, reasoning and the arguments of tools, of every choice, whole or streamed. Rails look at what the model
wrote; then the caller's own values take the places of their pseudonyms, and nobody looks at those: a pseudonym is no
personal data, and a value that the caller sent is no leak to the caller.

- A run of words is one text, up to where something else begins; each call's arguments are one. A text leaves as far as
  it is final, so a stream ends as its whole would have, however it was cut.
- A frame that was looked at is written anew from its events: bytes that nobody read do not pass. Tokens' probabilities
  go with the words that they belong to, or not at all.
- Reasoning that was changed, be it by a value given back, loses its signature, which would no longer prove it.
- What only its own dialect can say (a citation, a server's tool) is looked at string by string and left out where a
  string would be masked. Pieces of it that no longer say what they are part of are left out while a rail acts.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec
from msgspec.structs import replace

from mainstay.core.answer import Answer, Frames, Whole
from mainstay.core.clock import monotonic
from mainstay.core.events import (
    Cited,
    ClaimEnded,
    Dialect,
    Event,
    Finished,
    Frame,
    Grounded,
    Metered,
    Opaque,
    Piece,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.fold import fold
from mainstay.guardrails.channels import Channel
from mainstay.guardrails.lookout import SLICE, Lookout
from mainstay.guardrails.quotes import Quotes
from mainstay.guardrails.rails import Rail, Trace
from mainstay.guardrails.restore import restore

__all__ = ["Screened", "screen"]

#: Seconds of silence after which the caller is sent a sign of life.
_PING: Final = 5.0
_ALIVE: Final = (Frame(),)
#: What OpenAI's wire says of a message in one go; the rest may come in pieces.
_COMPLETE: Final = frozenset({"annotations", "citations", "images"})
#: A longer string without a blank is media.
_MEDIA: Final = 4096


async def screen(
    answer: Answer,
    rails: Sequence[Rail],
    trace: Trace,
    mapping: Mapping[str, str],
    *,
    schema: bool,
    grows: bool = False,
) -> Answer:
    """Return ``answer`` as its caller gets it; the same where nothing in it had to change.

    Args:
        answer: of a model that talks.
        rails: those that look at outputs.
        trace: takes the notes; of a stream, until it has ended.
        mapping: the caller's values by pseudonym.
        grows: ``mapping`` may have more while the answer streams, as tools are run.
        schema: the text is held to JSON, so it stays JSON, and values are escaped.

    Raises:
        ContentBlocked: a rail does not let it pass. A stream raises it on its way; nothing of what was found has left.
        RailFailed: a rail could not look.
    """
    grows = grows and answer.frames is not None
    if not rails and not mapping and not grows:
        return answer
    lookout = Lookout(rails, trace, mapping, grows=grows)
    if answer.frames is not None:
        return replace(answer, frames=Screened(answer.frames, lookout, mapping, schema=schema))
    assert answer.whole is not None
    whole = await _screened(answer.whole, lookout, mapping, schema=schema)
    return answer if whole is answer.whole else replace(answer, whole=whole)


async def _screened(whole: Whole, lookout: Lookout, mapping: Mapping[str, str], *, schema: bool) -> Whole:
    sorter = _Sorter(lookout, mapping, schema=schema, whole=True)
    out: list[Event] = []
    try:
        for event in whole.events:
            for channel in sorter.take(event, out):
                await _settle(channel)
        for channel in sorter.close(out):
            await _settle(channel)
        await lookout.finish()
    finally:
        await lookout.stop()
    if not sorter.changed:
        return whole
    return replace(whole, wire=b"", decode=None, _events=fold(out).events)


async def _settle(channel: Channel) -> None:
    if channel.waits:
        await channel.ask()
    else:
        # A long text: others have their turn.
        await asyncio.sleep(0)


class Screened:
    """A stream that is looked at while it passes; see :class:`~mainstay.core.answer.Frames`."""

    __slots__ = ("_ended", "_inner", "_lookout", "_next", "_sorter")

    def __init__(self, inner: Frames, lookout: Lookout, mapping: Mapping[str, str], *, schema: bool) -> None:
        self._inner = inner
        self._next = inner.__anext__
        self._lookout = lookout
        self._sorter = _Sorter(lookout, mapping, schema=schema, whole=False)
        self._ended = False

    def __aiter__(self) -> AsyncIterator[Sequence[Frame]]:
        return self

    async def __anext__(self) -> Sequence[Frame]:
        try:
            if not self._ended:
                return await self._go()
            await self._lookout.finish()
        except StopAsyncIteration:
            pass
        except BaseException:
            await self.aclose()
            raise
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop: judges, and the upstream."""
        self._ended = True
        try:
            await self._lookout.stop()
        finally:
            await self._inner.aclose()

    async def _go(self) -> Sequence[Frame]:
        due = monotonic() + _PING
        sorter, passive = self._sorter, not self._lookout.holds
        while True:
            out: list[Event] = []
            try:
                batch = await self._next()
            except StopAsyncIteration:
                self._ended = True
                for channel in sorter.close(out):
                    await channel.ask()
                if out and not passive:
                    return (Frame(tuple(out)),)
                await self._lookout.finish()
                raise
            media: list[Frame] = []
            for frame in batch:
                if frame.events and type(frame.events[0]) is Piece:
                    media.append(frame)
                    continue
                for event in frame.events:
                    if type(event) is TextDelta and (run := sorter.run_of(event)) is not None:
                        # Most events by far are the next words of a run.
                        run.add(event, event.text)
                        if run.waits:
                            await run.ask()
                        out += run.take()
                        continue
                    for channel in sorter.take(event, out):
                        await channel.ask()
            if passive:
                return batch
            if out or media:
                return (Frame(tuple(out)), *media) if out else media
            if not all(frame.events for frame in batch) or monotonic() >= due:
                return _ALIVE


class _Choice:
    """The texts of one choice."""

    __slots__ = ("before", "kind", "run", "thought", "tools")

    def __init__(self) -> None:
        #: The run that goes on, and what it is.
        self.run: Channel | None = None
        self.kind = ""
        #: Arguments by call, until they end.
        self.tools: dict[int, Channel] = {}
        #: Characters of ended runs, by what they were.
        self.before: dict[str, int] = {}
        #: Whether reasoning has been changed since the last seal.
        self.thought = False


class _Sorter:
    """Brings each event to its text, and what leaves into order. Events of a choice keep theirs, but that the texts of
    several calls go on side by side.

    Its methods yield a channel where a judge must be asked, or others have their turn, before they go on.
    """

    def __init__(self, lookout: Lookout, mapping: Mapping[str, str], *, schema: bool, whole: bool) -> None:
        self._lookout = lookout
        self._quotes = Quotes(lookout)
        self._mapping = mapping
        self._schema = schema
        self._whole = whole
        self._choices: dict[int, _Choice] = {}
        #: Whether anything left otherwise than it came.
        self.changed = False

    def take(self, event: Event, out: list[Event]) -> Iterator[Channel]:
        """Take an event; append to ``out`` what may leave."""
        if isinstance(event, TextDelta):
            yield from self._say("text", event, event.text, event.choice, out)
        elif isinstance(event, ThinkingDelta):
            yield from self._say("thinking", event, event.text, event.choice, out)
        elif isinstance(event, ToolDelta):
            yield from self._argue(event, out)
        elif isinstance(event, RefusalDelta):
            yield from self._say("refusal", event, event.text, event.choice, out)
        elif isinstance(event, Started | Metered):
            out.append(event)
        elif isinstance(event, ToolStarted):
            yield from self._end_run(self._choice(event.choice), out)
            out.append(event)
        elif isinstance(event, ThinkingSealed):
            yield from self._seal(event, out)
        elif isinstance(event, Opaque):
            self._carry(event, out)
        elif isinstance(event, Finished):
            yield from self._end(self._choice(event.choice), out)
            out.append(event)
        elif isinstance(event, Cited | ClaimEnded | Grounded):
            kept = self._quotes.take(event)
            self.changed |= kept is not event
            if kept is not None:
                self._mark(kept, self._choice(event.choice), out)
        else:
            out.append(event)

    def run_of(self, event: TextDelta) -> Channel | None:
        """Return the run that goes on with ``event``, if one does."""
        choice = self._choices.get(event.choice)
        return choice.run if choice is not None and choice.kind == "text" and 0 < len(event.text) <= SLICE else None

    def close(self, out: list[Event]) -> Iterator[Channel]:
        """The answer is over: append to ``out`` what is left."""
        for choice in self._choices.values():
            yield from self._end(choice, out)

    def _choice(self, index: int) -> _Choice:
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice()
        return choice

    def _say(self, kind: str, event: Event, text: str, index: int, out: list[Event]) -> Iterator[Channel]:
        choice = self._choice(index)
        if not text:
            self._mark(event, choice, out)
            return
        if choice.kind != kind or choice.run is None:
            yield from self._end_run(choice, out)
            choice.kind = kind
            json = self._schema and kind == "text"
            offset = choice.before.get(kind, 0)
            make = partial(_MAKES[kind], choice=index)
            place = f"{index}.{kind}"
            choice.run = Channel(self._lookout, place, make, json=json, offset=offset, whole=self._whole)
        yield from self._feed(choice.run, event, text, out)

    def _argue(self, event: ToolDelta, out: list[Event]) -> Iterator[Channel]:
        choice = self._choice(event.choice)
        channel = choice.tools.get(event.index)
        if channel is None:
            make = partial(ToolDelta, index=event.index, choice=event.choice)
            place = f"{event.choice}.tool.{event.index}"
            channel = Channel(self._lookout, place, make, json=True, offset=0, whole=self._whole)
            choice.tools[event.index] = channel
        yield from self._feed(channel, event, event.arguments, out)

    def _feed(self, channel: Channel, event: Event, text: str, out: list[Event]) -> Iterator[Channel]:
        channel.add(event, text[:SLICE] if len(text) > SLICE else text)
        if channel.waits:
            yield channel
        for start in range(SLICE, len(text), SLICE):
            out += channel.take()
            channel.add(None, text[start : start + SLICE])
            yield channel
        out += channel.take()

    def _end_run(self, choice: _Choice, out: list[Event]) -> Iterator[Channel]:
        run, choice.run = choice.run, None
        if run is not None:
            yield from self._finish(run, out)
            choice.before[choice.kind] = run.length
            choice.thought |= choice.kind == "thinking" and run.changed
        choice.kind = ""

    def _end(self, choice: _Choice, out: list[Event]) -> Iterator[Channel]:
        yield from self._end_run(choice, out)
        tools, choice.tools = choice.tools, {}
        for index in sorted(tools):
            yield from self._finish(tools[index], out)

    def _finish(self, channel: Channel, out: list[Event]) -> Iterator[Channel]:
        channel.close()
        if channel.waits:
            yield channel
        out += channel.take()
        self.changed |= channel.changed

    def _seal(self, event: ThinkingSealed, out: list[Event]) -> Iterator[Channel]:
        choice = self._choice(event.choice)
        if choice.kind == "thinking":
            yield from self._end_run(choice, out)
        changed, choice.thought = choice.thought, False
        if event.signature and changed:
            self.changed = True
        else:
            self._mark(event, choice, out)

    def _mark(self, event: Event, choice: _Choice, out: list[Event]) -> None:
        if choice.run is None or not choice.run.mark(event):
            out.append(event)

    def _carry(self, event: Opaque, out: list[Event]) -> None:
        kept = self._looked_at(event)
        if kept is not event:
            self.changed = True
        if kept is not None:
            self._mark(kept, self._choice(event.choice), out)

    def _looked_at(self, event: Opaque) -> Opaque | None:
        """Return what of an opaque event may leave."""
        payload = bytes(event.payload)
        try:
            said = msgspec.json.decode(payload)
        except (msgspec.DecodeError, RecursionError):
            return None
        lookout = self._lookout
        if lookout.acts and not self._whole and _is_piece(event.dialect, said):
            return None
        masked = False
        for text in _strings(said):
            masked |= lookout.scan_whole(text, f"{event.choice}.other")
        if masked:
            return None
        if self._mapping:
            text = payload.decode("utf-8", "replace")
            restored = restore(text, self._mapping, json=True)
            if restored != text:
                return replace(event, payload=msgspec.Raw(restored.encode()))
        return event


_MAKES: Final = {"text": TextDelta, "thinking": ThinkingDelta, "refusal": RefusalDelta}


def _strings(value: object) -> Iterator[str]:
    """Yield the texts in a value of JSON; media are none."""
    if isinstance(value, str):
        if len(value) > 2 and (len(value) < _MEDIA or any(mark.isspace() for mark in value[:_MEDIA])):
            yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


def _is_piece(dialect: Dialect, said: object) -> bool:
    """Whether an opaque event of a stream may be a part of a text that goes on in others."""
    if not isinstance(said, dict):
        return False
    if dialect is Dialect.OPENAI:
        message = said.get("message")
        return isinstance(message, dict) and any(
            any(_strings(value)) for name, value in message.items() if name not in _COMPLETE
        )
    return str(said.get("type", "")).endswith("_delta")
