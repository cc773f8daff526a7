"""A stream's events, folded into the events of a whole answer.

For a caller who wants the answer in one piece from an upstream that streamed it, and for whatever needs the complete
text of a stream. Knows events only, no dialect.
"""

from collections.abc import Iterable

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    Metered,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.usage import Usage

__all__ = ["Fold", "fold"]

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])


class _Run:
    """Neighbouring deltas of one kind in one choice, or one tool call with all its arguments."""

    __slots__ = ("first", "logprobs", "pieces")

    def __init__(self, first: Event) -> None:
        self.first = first
        self.pieces: list[str] = []
        self.logprobs: list[msgspec.Raw] = []

    def events(self) -> Iterable[Event]:
        first, text = self.first, "".join(self.pieces)
        if isinstance(first, ToolStarted):
            yield first
            if text:
                yield ToolDelta(text, first.index, first.choice)
        elif isinstance(first, TextDelta):
            yield TextDelta(text, first.choice, _join_logprobs(self.logprobs))
        elif isinstance(first, ThinkingDelta | RefusalDelta):
            yield type(first)(text, first.choice)
        else:
            yield first


class Fold:
    """Takes events as they come and gives back the whole.

    Neighbouring pieces of text, reasoning and refusal become one event each; a tool call's arguments are joined at the
    place where the call began, however calls were interleaved; all else keeps its place. Of several ``Started`` the
    first counts, of several ``Metered`` the last, of several ``Finished`` of one choice the last.
    """

    __slots__ = ("_calls", "_finished", "_runs", "_started", "_usage")

    def __init__(self) -> None:
        self._started: Started | None = None
        self._runs: dict[int, list[_Run]] = {}
        self._calls: dict[tuple[int, int], _Run] = {}
        self._finished: dict[int, Finished] = {}
        self._usage: Usage | None = None

    def add(self, events: Iterable[Event]) -> None:
        """Take the next events of the answer."""
        for event in events:
            if isinstance(event, TextDelta):
                run = self._run(event, event.choice)
                run.pieces.append(event.text)
                if event.logprobs is not None:
                    run.logprobs.append(event.logprobs)
            elif isinstance(event, ToolDelta):
                call = self._calls.get((event.choice, event.index))
                if call is not None:
                    call.pieces.append(event.arguments)
            elif isinstance(event, ThinkingDelta | RefusalDelta):
                self._run(event, event.choice).pieces.append(event.text)
            elif isinstance(event, Metered):
                self._usage = event.usage
            elif isinstance(event, Finished):
                self._finished[event.choice] = event
            elif isinstance(event, Started):
                self._started = self._started or event
            else:
                choice: int = getattr(event, "choice", 0)
                run = _Run(event)
                self._runs.setdefault(choice, []).append(run)
                if isinstance(event, ToolStarted):
                    self._calls[choice, event.index] = run

    def events(self) -> tuple[Event, ...]:
        """Return Started, the content choice by choice, Finished choice by choice, Metered."""
        found: list[Event] = [self._started or Started()]
        for choice in sorted(self._runs):
            for run in self._runs[choice]:
                found.extend(run.events())
        found.extend(self._finished[choice] for choice in sorted(self._finished))
        if self._usage is not None:
            found.append(Metered(self._usage))
        return tuple(found)

    def whole(self) -> Whole:
        """Return what came so far as an answer without wire."""
        started = self._started or Started()
        finish = tuple(self._finished[choice].reason for choice in sorted(self._finished))
        return Whole(
            b"",
            Dialect.OPENAI,
            started.id,
            started.model,
            finish,
            self._usage,
            decode=None,
            _events=self.events(),
            fingerprint=started.fingerprint,
        )

    def _run(self, event: Event, choice: int) -> _Run:
        runs = self._runs.setdefault(choice, [])
        if not runs or type(runs[-1].first) is not type(event):
            runs.append(_Run(event))
        return runs[-1]


def fold(events: Iterable[Event]) -> Whole:
    """Return the whole answer that ``events`` stream. See :class:`Fold`."""
    folding = Fold()
    folding.add(events)
    return folding.whole()


def _join_logprobs(parts: list[msgspec.Raw]) -> msgspec.Raw | None:
    """Join objects whose lists hold one entry per token: lists one after the other, anything else the last wins."""
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    joined: dict[str, list[msgspec.Raw] | msgspec.Raw] = {}
    for part in parts:
        for name, value in _fields.decode(part).items():
            before = joined.get(name)
            if bytes(value)[:1] == b"[":
                joined[name] = [*before, *_items.decode(value)] if isinstance(before, list) else _items.decode(value)
            elif not isinstance(before, list):
                joined[name] = value
    return msgspec.Raw(msgspec.json.encode(joined))
