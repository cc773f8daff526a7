"""The rounds of one call: ask the model, run what it calls, ask again, within bounds.

Holds the state of one call, for whole answers and for streams alike. It asks and runs; what a turn is stands in
``turns``, what of a stream is passed on in ``streams``.
"""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.clock import monotonic, since_ms
from mainstay.core.errors import UpstreamBroken
from mainstay.core.estimate import answer_usage
from mainstay.core.events import Event, Finished, FinishReason, Metered
from mainstay.core.prompt import Message, Prompt, TextPart, ToolResultPart
from mainstay.core.stage import Onward
from mainstay.core.usage import Usage, add_up
from mainstay.tools.catalogue import Kit
from mainstay.tools.errors import ToolTrouble
from mainstay.tools.memory import Memory
from mainstay.tools.turns import Called, Turn, answered, own_calls, read_turn, with_rounds, without_ours

__all__ = ["Limits", "Rounds"]

#: Characters of a record's account of runs.
_MOST_NOTES = 8000
_LIMIT = "The limit of tool runs for this request is reached; answer with what you have."


class Limits(msgspec.Struct, frozen=True):
    """How far one call may go; see ``ToolsConfig``."""

    rounds: int = 4
    calls: int = 16
    parallel: int = 4
    tokens: int = 200_000
    time: float = 120.0


class Rounds:
    """What one call has asked and run so far.

    Args:
        call: the call, as the caller made it.
        onward: the rest of the line.
        prompt: what the caller asks, with what it was not shown in place.
        kit: the tools that are run here.
        limits: how far to go.
        memory: keeps turns that the caller must go on with.
    """

    def __init__(self, call: Call, onward: Onward, prompt: Prompt, kit: Kit, limits: Limits, memory: Memory) -> None:
        self._call = call
        self._onward = onward
        self._own = prompt.tools
        self._names = {tool.name for tool in prompt.tools}
        self._prompt = replace(prompt, tools=(*prompt.tools, *kit.told()))
        self._asked = self._prompt
        self._kit = kit
        self._prefixes = tuple({f"{offered.listing.name}__" for offered in kit.tools.values()})
        self._limits = limits
        self._memory = memory
        self._told: list[Message] = []
        self._calls = 0
        self._seconds = 0.0
        self._spent: list[Usage] = []
        #: Why calls of a turn may not be run, by their ids.
        self._stopped: Mapping[str, str] = {}
        if call.gate is not None:
            for name, offered in kit.tools.items():
                if offered.offer.description:
                    call.gate.heard(name)
        #: How often tools were run.
        self.done = 0
        #: Whether the model must answer now.
        self.last = False

    @property
    def total(self) -> Usage:
        """What all answers so far took together."""
        return add_up(self._spent)

    async def ask(self) -> Answer:
        """Ask the model, with all that was run.

        Raises:
            MainstayError: no answer came.
        """
        record = self._call.record
        if self.done:
            self._asked = with_rounds(self._prompt, self._told, own=self._own, last=self.last)
        made = len(record.attempts)
        try:
            return await self._onward(replace(self._call, ask=self._call.ask.asking(self._asked)))
        finally:
            if self.done and made < len(record.attempts) and record.attempts[made].cause == "first":
                record.attempts[made].cause = "tools"

    def spend(self, events: Sequence[Event]) -> None:
        """Count what an answer, or the part of one that came, took."""
        self._spent.append(answer_usage(self._asked, events))
        if self.done:
            self._call.record.usage = self.total

    def read(self, events: Sequence[Event]) -> Turn:
        """Return what a complete answer says and calls.

        Raises:
            UpstreamBroken: the model was to answer and calls tools all the same.
        """
        turn = read_turn(events, self._is_ours)
        if not self.last or not turn.ours:
            return turn
        if turn.theirs or any(isinstance(part, TextPart) for part in turn.parts):
            return without_ours(turn)
        raise UpstreamBroken("The model goes on calling tools after it was told to answer; allow it more rounds.")

    def _is_ours(self, name: str) -> bool:
        if name in self._names:
            return False
        # A name that nobody gave it is for whoever offers tools; where both do, for the one whose names begin so.
        return name in self._kit.tools or not self._names or name.startswith(self._prefixes)

    async def work(self, turn: Turn) -> None:
        """Run what the model calls of ours, side by side; the next question tells it what came.

        Raises:
            MainstayError: the model may not read what came, or a person decides first on what it calls.
        """
        began = monotonic()
        room = max(0, self._limits.calls - self._calls)
        self._stopped = await self._refused(turn.ours[:room])
        self._calls += len(turn.ours)
        gate = asyncio.Semaphore(self._limits.parallel)
        try:
            async with asyncio.TaskGroup() as group:
                runs = [group.create_task(self._run(call, gate, began)) for call in turn.ours[:room]]
        except BaseExceptionGroup as errors:
            # A result that the model may not read ends the call.
            raise errors.exceptions[0] from None
        results = [run.result() for run in runs]
        results += [self._note(call, "limit", began, _failure(call, _LIMIT)) for call in turn.ours[room:]]
        self._seconds += monotonic() - began
        # What is waited for here is no work of the gateway's own.
        self._call.record.queued_ms += since_ms(began)
        self._told += answered(turn, results)
        self.done += 1
        self._call.record.usage = total = self.total
        limits = self._limits
        self.last = (
            self.done >= limits.rounds
            or self._calls >= limits.calls
            or self._seconds >= limits.time
            or total.input + total.output >= limits.tokens
        )

    async def _refused(self, calls: Sequence[Called]) -> dict[str, str]:
        """Return why calls may not be run, by their ids: all are judged before one is run, since the model made them
        before it read what any of them gave."""
        gate, screen = self._call.gate, self._call.tools
        refused: dict[str, str] = {}
        for call in calls if gate is not None else ():
            if gate is not None and call.name in self._kit.tools:
                said = screen.arguments(call.arguments) if screen is not None else call.arguments
                if reason := await gate.permit(call.name, said):
                    refused[call.id] = reason
        return refused

    async def _run(self, call: Called, gate: asyncio.Semaphore, began: float) -> ToolResultPart:
        async with gate:
            started = monotonic()
            try:
                text, outcome = await self._result(call, started - began)
            except ToolTrouble as trouble:
                text, outcome = trouble.message, trouble.outcome
            part = self._note(call, outcome, started, ToolResultPart(call.id, (TextPart(text),), outcome != "ok"))
            screen = self._call.tools
            if screen is None:
                return part
            return replace(part, content=(TextPart(await screen.result(call.name, text)),))

    async def _result(self, call: Called, waited: float) -> tuple[str, str]:
        offered = self._kit.tools.get(call.name)
        if offered is None:
            raise ToolTrouble("unknown", f"There is no tool of this name; there are: {', '.join(self._kit.tools)}.")
        if call.id in self._stopped:
            raise ToolTrouble("not_allowed", f"It was not run. {self._stopped[call.id]} Go on without it.")
        screen = self._call.tools
        try:
            said = call.arguments or "{}"
            arguments = msgspec.json.decode(screen.arguments(said) if screen else said, type=dict[str, object])
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            raise ToolTrouble("invalid_arguments", "The arguments are not one JSON object; call it again.") from None
        listing = offered.listing
        left = min(self._limits.time - self._seconds - waited, self._call.deadline - monotonic())
        if left <= 0:
            raise ToolTrouble("limit", "There is no time left to run tools; answer with what you have.")
        owner, limit = self._call.caller.key, min(listing.timeout, left)
        result = await listing.server.run(offered.offer.name, arguments, owner, limit, hops=self._call.hops)
        if self._call.gate is not None:
            self._call.gate.heard(call.name)
        return result.text, "error" if result.failed else "ok"

    def _note(self, call: Called, outcome: str, started: float, part: ToolResultPart) -> ToolResultPart:
        """Put a run on the record: whose tool it was, how it ended, how long it took; not a word of it."""
        offered = self._kit.tools.get(call.name)
        name = f"{offered.listing.name}/{offered.offer.name}" if offered is not None else "?"
        record = self._call.record
        if len(record.steps) < _MOST_NOTES:
            note = f"tool {name} {outcome} {since_ms(started):.1f}ms"
            record.steps = f"{record.steps}; {note}" if record.steps else note
        return part

    async def close(self, turn: Turn, events: Sequence[Event]) -> list[Event]:
        """Return how the caller's answer ends: its own calls, why it ended, and what all of it took."""
        mark = None
        if turn.theirs and self.done:
            told, results = list(self._told), []
            if not turn.ours:
                # The turn that calls the caller's tools is not told yet: nothing of it was run.
                told.append(Message("assistant", turn.parts))
            else:
                results = told[len(told) - len(turn.ours) :]
                del told[len(told) - len(turn.ours) :]
            ids = [call.id for call in turn.theirs]
            mark = await self._memory.keep(self._call.caller, told, results, ids)
        found = own_calls(turn.theirs, lambda number, given: given if mark is None else f"{mark}{number}")
        ended = next((event for event in events if isinstance(event, Finished)), None)
        if turn.theirs:
            found.append(Finished(FinishReason.TOOLS))
        elif ended is not None:
            dropped = ended.reason is FinishReason.TOOLS
            found.append(Finished(FinishReason.STOP) if dropped else ended)
        return [*found, Metered(self.total)]


def _failure(call: Called, message: str) -> ToolResultPart:
    return ToolResultPart(call.id, (TextPart(message),), is_error=True)
