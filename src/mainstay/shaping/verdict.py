"""Judging a whole answer: what of it has the form that was asked for, and what to say to a model whose answer has not.

Pure: events in, events or a new prompt out.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from mainstay.core.errors import OutputInvalid
from mainstay.core.events import Event, Finished, FinishReason, RefusalDelta, TextDelta, ToolDelta, ToolStarted
from mainstay.core.prompt import Message, Part, Prompt, TextPart, ToolCallPart, ToolResultPart
from mainstay.core.turn import read_parts, whole_arguments
from mainstay.shaping.asked import Asked
from mainstay.shaping.json import CUT
from mainstay.shaping.port import Flaw, Misfit
from mainstay.shaping.schema import Schema, parse_json

__all__ = ["Choice", "check_arguments", "choices", "judge", "reask", "refusal"]

#: The model or its keeper declined: there is no answer to hold to a form.
_DECLINED = (FinishReason.REFUSED, FinishReason.FILTERED)
_CUT = (FinishReason.LENGTH, FinishReason.CONTEXT)
_MOST_SHOWN = 64 * 1024


class Choice(msgspec.Struct):
    """One choice of an answer: its text, its calls as (id, name, arguments), and how it ended."""

    text: str = ""
    calls: list[tuple[str, str, str]] = []
    finish: FinishReason | None = None
    declined: bool = False

    @property
    def cut(self) -> bool:
        """Whether it ended at a limit."""
        return self.finish in _CUT


def choices(events: Sequence[Event]) -> dict[int, Choice]:
    """Return the choices of a whole answer, by number."""
    found: dict[int, Choice] = {}
    places: dict[tuple[int, int], int] = {}
    for event in events:
        if isinstance(event, TextDelta):
            found.setdefault(event.choice, Choice()).text += event.text
        elif isinstance(event, ToolStarted):
            choice = found.setdefault(event.choice, Choice())
            places[event.choice, event.index] = len(choice.calls)
            choice.calls.append((event.id, event.name, ""))
        elif isinstance(event, ToolDelta) and (event.choice, event.index) in places:
            calls = found[event.choice].calls
            place = places[event.choice, event.index]
            calls[place] = (*calls[place][:2], calls[place][2] + event.arguments)
        elif isinstance(event, RefusalDelta):
            found.setdefault(event.choice, Choice()).declined = True
        elif isinstance(event, Finished):
            choice = found.setdefault(event.choice, Choice())
            choice.finish = event.reason
            choice.declined = choice.declined or event.reason in _DECLINED
    return found


def judge(asked: Asked, events: Sequence[Event]) -> tuple[Event, ...] | None:
    """Return the events of the answer as it may be handed on, or None when it may be as it came.

    Raises:
        Misfit: it has not the form.
    """
    settled: dict[int, str] = {}
    for number, choice in choices(events).items():
        if choice.declined:
            continue
        for _, name, arguments in choice.calls:
            if (schema := asked.tools.get(name)) is not None:
                check_arguments(schema, name, arguments, cut=choice.cut)
        if asked.text is None or (choice.calls and not choice.text.strip()) or (choice.cut and asked.cut_is_told):
            continue
        text = asked.text.settle(choice.text, cut=choice.cut)
        if text != choice.text:
            settled[number] = text
    return _rewritten(events, settled) if settled else None


def check_arguments(schema: Schema, name: str, arguments: str, *, cut: bool) -> None:
    """Judge the arguments of one call; none at all are an empty object.

    Raises:
        Misfit: they do not fit.
    """
    try:
        value = parse_json(arguments or "{}")
    except ValueError as error:
        flaw = CUT if cut else Flaw(f"The arguments of '{name}' are not one JSON value: {error}.", rule="json")
        raise Misfit(flaw) from error
    schema.check(value)


def _rewritten(events: Sequence[Event], settled: dict[int, str]) -> tuple[Event, ...]:
    """Return ``events`` with the text of some choices replaced; log probabilities of other words go with these."""
    found: list[Event] = []
    said: set[int] = set()
    for event in events:
        if isinstance(event, TextDelta) and event.choice in settled:
            if event.choice not in said:
                said.add(event.choice)
                found.append(TextDelta(settled[event.choice], event.choice))
        else:
            found.append(event)
    return tuple(found)


def reask(prompt: Prompt, events: Sequence[Event], misfit: Misfit) -> Prompt:
    """Return ``prompt`` with the answer that did not fit, and what is wrong with it."""
    number, choice = _shown(events)
    problems = "\n".join(f"- {f'at {flaw.path}: ' if flaw.path else ''}{flaw.problem}" for flaw in misfit.flaws)
    # With its reasoning: some models take no turn back without it.
    said = read_parts(events, number)
    if choice.calls:
        words = f"Nothing was run: the arguments of this turn's calls do not fit.\n{problems}\nMake the calls again."
        results = [
            ToolResultPart(call, (TextPart(f"{words}{_quoted(arguments)}"),), is_error=True)
            for call, _, arguments in choice.calls
        ]
        turns = (Message("assistant", _sendable(said)), *(Message("tool", (result,)) for result in results))
    else:
        words = f"This answer cannot be used:\n{problems}\nAnswer again, in full and in the form that was asked for."
        if not choice.text.strip():
            said = [TextPart("(nothing)")]
        turns = (Message("assistant", tuple(said)), Message("user", (TextPart(words),)))
    return replace(prompt, messages=(*prompt.messages, *turns))


def _shown(events: Sequence[Event]) -> tuple[int, Choice]:
    """Return the choice that a model, or a caller, is shown of an answer that did not fit."""
    return next(((at, one) for at, one in sorted(choices(events).items()) if not one.declined), (0, Choice()))


def _sendable(said: Sequence[Part]) -> tuple[Part, ...]:
    """Return a turn as a provider takes it back: with an object for the arguments of every call."""
    return tuple(
        replace(part, arguments=whole_arguments(part.arguments)) if isinstance(part, ToolCallPart) else part
        for part in said
    )


def _quoted(arguments: str) -> str:
    """Return arguments that cannot stand in the turn itself, as words."""
    if not arguments.strip() or whole_arguments(arguments) == arguments:
        return ""
    return f"\nYour arguments were:\n{arguments[:_MOST_SHOWN]}"


def refusal(events: Sequence[Event], misfit: Misfit, tries: int) -> OutputInvalid:
    """Return the error for a call whose answers never had the form, with the best attempt and its flaws."""
    first = misfit.flaws[0]
    _, shown = _shown(events)
    best: object = shown.text[:_MOST_SHOWN]
    if shown.calls and not shown.text:
        best = [{"name": name, "arguments": arguments[:_MOST_SHOWN]} for _, name, arguments in shown.calls]
    times = "once" if tries == 1 else f"{tries} times"
    if first is CUT:
        words = CUT.problem
    else:
        where = f" at {first.path}" if first.path else ""
        words = (
            f"The model answered {times} and never in the form that was asked for ({first.rule}{where}); the best "
            "attempt is in 'best_attempt'. Simplify the form or choose a more able model."
        )
    flaws = [{"path": flaw.path, "problem": flaw.problem, "rule": flaw.rule} for flaw in misfit.flaws]
    return OutputInvalid(words, extra={"best_attempt": best, "flaws": flaws}, should_retry=False)
