"""One turn of a model that calls tools: whose the calls are, and how the conversation goes on from it.

Pure: events in, parts and prompts out.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from mainstay.core.events import Event, Finished, FinishReason, Started, ToolDelta, ToolStarted
from mainstay.core.prompt import Message, Part, Prompt, Tool, ToolCallPart, ToolChoice, ToolResultPart
from mainstay.core.turn import read_parts, whole_arguments

__all__ = ["Called", "Turn", "answered", "own_calls", "read_turn", "with_rounds", "without_calls", "without_ours"]

#: A turn that ended so is no turn to go on from.
_OVER: Final = frozenset({FinishReason.FILTERED, FinishReason.REFUSED})


class Called(msgspec.Struct, frozen=True):
    """One call, as the model wrote it."""

    id: str
    name: str
    arguments: str


class Turn(msgspec.Struct, frozen=True):
    """What a model said in one turn: ``ours`` are calls that are run here, ``theirs`` the caller's."""

    parts: tuple[Part, ...]
    ours: tuple[Called, ...]
    theirs: tuple[Called, ...]


def read_turn(events: Iterable[Event], ours: Callable[[str], bool]) -> Turn:
    """Return the turn that ``events`` of a whole answer are; ``ours`` says whose a tool is by its name."""
    said = list(events)
    parts = read_parts(said)
    over = any(isinstance(event, Finished) and event.reason in _OVER for event in said)
    # Once each: the results of two calls with one id could not be told apart.
    found: dict[str, Called] = {}
    for part in parts:
        if isinstance(part, ToolCallPart):
            found.setdefault(part.id, Called(part.id, part.name, part.arguments))
    mine = tuple(call for call in found.values() if not over and ours(call.name))
    theirs = tuple(call for call in found.values() if not ours(call.name))
    left = {call.id for call in (*mine, *theirs)}
    kept: list[Part] = []
    for part in parts:
        if not isinstance(part, ToolCallPart):
            kept.append(part)
        elif part.id in left:
            left.discard(part.id)
            # An object, whatever the model wrote: a provider takes nothing else back.
            kept.append(replace(part, arguments=whole_arguments(part.arguments)))
    return Turn(tuple(kept), mine, theirs)


def without_ours(turn: Turn) -> Turn:
    """Return a turn as if nothing of ours had been called in it."""
    ours = {call.id for call in turn.ours}
    parts = tuple(part for part in turn.parts if not isinstance(part, ToolCallPart) or part.id not in ours)
    return Turn(parts, (), turn.theirs)


def with_rounds(prompt: Prompt, told: Sequence[Message], *, own: tuple[Tool, ...], last: bool) -> Prompt:
    """Return ``prompt`` with the messages of the rounds so far. ``own``: the caller's tools; ``last``: none of ours.

    A model that must answer now may still call the caller's tools; where there are none it may call none.
    """
    prompt = replace(prompt, messages=(*prompt.messages, *told))
    choice = prompt.tool_choice
    if choice is not None and not own:
        # It did call one, as it had to; a model that must again never answers.
        prompt = replace(prompt, tool_choice=None)
    elif choice is not None and choice.kind == "tool" and choice.name not in {tool.name for tool in own}:
        prompt = replace(prompt, tool_choice=None)
    if not last:
        return prompt
    return replace(prompt, tools=own) if own else replace(prompt, tool_choice=ToolChoice("none"))


def without_calls(events: Sequence[Event]) -> list[Event]:
    """Return the content of an answer, without its calls and all that frames it."""
    return [event for event in events if not isinstance(event, ToolStarted | ToolDelta | Started | Finished)]


def own_calls(calls: Sequence[Called], rename: Callable[[int, str], str]) -> list[Event]:
    """Return the caller's calls as events, numbered anew; ``rename`` gives each its id."""
    found: list[Event] = []
    for number, call in enumerate(calls):
        found.append(ToolStarted(rename(number, call.id), call.name, number))
        if call.arguments:
            found.append(ToolDelta(call.arguments, number))
    return found


def answered(turn: Turn, results: Sequence[ToolResultPart]) -> tuple[Message, ...]:
    """Return the turn and what its calls gave, as messages."""
    return (Message("assistant", turn.parts), *(Message("tool", (result,)) for result in results))
