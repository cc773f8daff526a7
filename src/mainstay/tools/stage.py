"""The line's step that runs tools for a model.

Stands before shaping, so that the answer of each round has the form that was asked for, and behind all that looks at
what a caller asks and gets: what a tool says is between the gateway and the model.
"""

from collections.abc import Awaitable, Sequence

from msgspec.structs import replace

from mainstay.core.answer import Answer
from mainstay.core.call import Call
from mainstay.core.clock import monotonic
from mainstay.core.errors import Unavailable
from mainstay.core.events import Event, Metered, Started, TextDelta
from mainstay.core.prompt import Prompt
from mainstay.core.stage import Onward
from mainstay.core.target import Operation
from mainstay.tools.catalogue import Grant, gather_kit
from mainstay.tools.memory import Memory
from mainstay.tools.rounds import Limits, Rounds
from mainstay.tools.streams import RoundFrames
from mainstay.tools.turns import without_calls

__all__ = ["UseTools"]


class UseTools:
    """Offers tools to a route's models, runs those they call, and asks again.

    Args:
        grants: what may be used, and by whose calls.
        memory: keeps turns that the caller must go on with.
        limits: how far one call may go.
        words: what a model writes before it calls a tool is part of the answer.
        required: a call fails when a server's tools cannot be listed.
    """

    def __init__(
        self,
        grants: Sequence[Grant],
        memory: Memory,
        limits: Limits | None = None,
        *,
        words: bool = True,
        required: bool = False,
    ) -> None:
        self._grants = tuple(grants)
        self._memory = memory
        self._limits = limits or Limits()
        self._words = words
        self._required = required

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]:
        if call.ask.operation not in (Operation.CHAT, Operation.COUNT):
            return onward(call)
        return self._use(call, onward)

    async def _use(self, call: Call, onward: Onward) -> Answer:
        ask = call.ask
        prompt = await self._memory.restore(ask.prompt, call.caller)
        if call.gate is not None and prompt is not ask.prompt:
            call.gate.told(prompt)
        rounds = await self._begin(call, onward, prompt)
        if rounds is None:
            return await onward(call if prompt is ask.prompt else replace(call, ask=ask.asking(prompt)))
        answer = await rounds.ask()
        if ask.operation is Operation.COUNT:
            return answer
        # Words around it would leave no form whole.
        words = self._words and (prompt.form is None or prompt.form.kind == "text")
        if answer.frames is None:
            return await self._settle(rounds, answer, words)
        answer.frames = RoundFrames(rounds, answer.frames, words=words)
        return answer

    async def _begin(self, call: Call, onward: Onward, prompt: Prompt) -> Rounds | None:
        """Return the rounds of a call, or None where no tools are offered.

        Raises:
            Unavailable: tools that the route needs cannot be listed.
        """
        choice = prompt.tool_choice
        # Of several answers each would call tools of its own.
        if (prompt.n or 1) > 1 or (choice is not None and choice.kind == "none"):
            return None
        taken = frozenset(tool.name for tool in prompt.tools)
        kit = await gather_kit(self._grants, call.caller, taken, max(0.0, call.deadline - monotonic()))
        if kit.missing and self._required:
            raise Unavailable("The tools of this route cannot be reached now; try again shortly.", retry_after=10.0)
        return Rounds(call, onward, prompt, kit, self._limits, self._memory) if kit.tools else None

    async def _settle(self, rounds: Rounds, answer: Answer, words: bool) -> Answer:
        """Return the whole answer that the rounds end in."""
        said: list[Event] = []
        while True:
            whole = answer.whole
            assert whole is not None
            events = whole.events
            rounds.spend(events)
            turn = rounds.read(events)
            if not rounds.done and not turn.ours:
                return answer
            content = [event for event in without_calls(events) if not isinstance(event, Metered)]
            said = [*said, *_apart(said, content)] if words else content
            if turn.ours:
                await rounds.work(turn)
            if not turn.ours or turn.theirs:
                break
            answer = await rounds.ask()
            if answer.frames is not None:
                raise AssertionError("a caller who wants the answer whole is given no stream")
        ended = await rounds.close(turn, events)
        all_of_it = (Started(whole.id, whole.model), *said, *ended)
        reasons = tuple(event.reason for event in ended if hasattr(event, "reason"))
        answer.whole = replace(whole, wire=b"", finish=reasons, usage=rounds.total, decode=None, _events=all_of_it)
        return answer


def _apart(said: Sequence[Event], content: list[Event]) -> list[Event]:
    """Return ``content`` with an empty line before its first words, if others were said before."""
    if any(isinstance(event, TextDelta) for event in said):
        for position, event in enumerate(content):
            if isinstance(event, TextDelta) and event.text:
                content[position] = replace(event, text="\n\n" + event.text)
                break
    return content
