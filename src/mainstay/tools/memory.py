"""What was run in a turn that the caller must go on with: kept until it comes back with the results of its own tools.

A caller never sees the calls that were run here, so it cannot send them back. The ids of its own calls say, under a
mark, where what it did not see is kept; when they come back it is put in its place. Where it is lost, the conversation
still is one. Kept for the caller's team or key, like responses.
"""

import re
import secrets
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace

from mainstay.core.call import Caller
from mainstay.core.errors import Unavailable
from mainstay.core.prompt import (
    Message,
    OpaquePart,
    Part,
    Prompt,
    Role,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from mainstay.store.kv import KeyValues

__all__ = ["Memory"]

_log = structlog.get_logger("mainstay.tools")
#: An id that a caller is given in the place of the provider's.
_MARK: Final = re.compile(r"mst_([A-Za-z0-9_-]{16})_(\d{1,4})")
#: Bytes of one turn that are kept, and turns of one conversation that are looked up.
_MOST: Final = 4 * 1024 * 1024
_MOST_TURNS: Final = 200

_Kept = TextPart | ThinkingPart | ToolCallPart | OpaquePart


class _Result(msgspec.Struct, tag_field="part", tag="tool_result"):
    id: str
    text: str
    is_error: bool = False


class _Message(msgspec.Struct):
    role: Role
    parts: list[_Kept | _Result]


class _Turn(msgspec.Struct):
    """``messages`` end with the turn that made the caller's calls, and ``results`` are those of ours in it."""

    messages: list[_Message]
    results: list[_Result]
    ids: list[str]


_turns = msgspec.json.Decoder(_Turn)


class Memory:
    """Keeps turns in key-values that all workers share.

    Args:
        values: where they are kept.
        lifetime: seconds; 0 keeps nothing.
    """

    def __init__(self, values: KeyValues, lifetime: float) -> None:
        self._values = values
        self._lifetime = lifetime

    async def keep(
        self, caller: Caller, messages: Sequence[Message], results: Sequence[Message], ids: Sequence[str]
    ) -> str | None:
        """Keep a turn; return what marks the caller's calls, or None where it is not kept.

        ``messages`` are what the caller does not see, up to and with the turn that made its calls ``ids``; ``results``
        what other calls of that turn gave.
        """
        if not self._lifetime:
            return None
        kept = _Turn(
            [_Message(message.role, [_flat(part) for part in message.parts]) for message in messages],
            [flat for message in results for part in message.parts if isinstance(flat := _flat(part), _Result)],
            list(ids),
        )
        data = msgspec.json.encode(kept)
        if len(data) > _MOST:
            return None
        token = secrets.token_urlsafe(12)
        try:
            await self._values.put({_key(caller, token): data}, self._lifetime, (caller.organisation, caller.team))
        except Unavailable:
            _log.warning("tool_turn_not_kept")
            return None
        return f"mst_{token}_"

    async def restore(self, prompt: Prompt, caller: Caller) -> Prompt:
        """Return ``prompt`` with what its caller was not shown in place; itself where nothing is."""
        marked = {
            position: found
            for position, message in enumerate(prompt.messages)
            if message.role == "assistant" and (found := _marks(message))
        }
        if not marked:
            return prompt
        tokens = list(dict.fromkeys(token for token, _ in marked.values()))[-_MOST_TURNS:]
        try:
            rows = await self._values.get([_key(caller, token) for token in tokens])
        except Unavailable:
            return prompt
        messages: list[Message] = []
        ids: dict[str, str] = {}
        waiting: list[Part] = []
        for position, message in enumerate(prompt.messages):
            token, numbers = marked.get(position, ("", []))
            row = rows.get(_key(caller, token)) if token else None
            turn = _turns.decode(row) if row is not None else None
            if turn is not None and numbers == list(range(len(turn.ids))):
                messages += [Message(one.role, tuple(map(_full, one.parts))) for one in turn.messages]
                ids |= {f"mst_{token}_{number}": turn.ids[number] for number in numbers}
                waiting = [_full(result) for result in turn.results]
                continue
            if ids or waiting:
                message, waiting = _answered(message, ids, waiting, messages)
            messages.append(message)
        return replace(prompt, messages=tuple(messages)) if ids else prompt


def _answered(
    message: Message, ids: dict[str, str], waiting: list[Part], messages: list[Message]
) -> tuple[Message, list[Part]]:
    """Return a message with the provider's own ids in it, and the results that are still to be put before it."""
    parts = tuple(
        replace(part, id=ids[part.id]) if isinstance(part, ToolResultPart) and part.id in ids else part
        for part in message.parts
    )
    if waiting and message.role == "user" and any(isinstance(part, ToolResultPart) for part in parts):
        # Where results stand in a user's turn, those of one turn stand together.
        return replace(message, parts=(*waiting, *parts)), []
    messages += [Message("tool", (result,)) for result in waiting]
    return replace(message, parts=parts), []


def _marks(message: Message) -> tuple[str, list[int]] | None:
    """Return where a turn is kept, and the numbers of its calls; None where it is not marked all through."""
    calls = [part.id for part in message.parts if isinstance(part, ToolCallPart)]
    found = [_MARK.fullmatch(call) for call in calls]
    tokens = {match[1] for match in found if match is not None}
    if len(tokens) != 1 or None in found:
        return None
    return tokens.pop(), sorted(int(match[2]) for match in found if match is not None)


def _flat(part: Part) -> _Kept | _Result:
    if isinstance(part, ToolResultPart):
        text = "".join(inner.text for inner in part.content if isinstance(inner, TextPart))
        return _Result(part.id, text, part.is_error)
    assert isinstance(part, TextPart | ThinkingPart | ToolCallPart | OpaquePart)
    return part


def _full(part: _Kept | _Result) -> Part:
    if isinstance(part, _Result):
        return ToolResultPart(part.id, (TextPart(part.text),), part.is_error)
    return part


def _key(caller: Caller, token: str) -> str:
    said = f"team {caller.team}" if caller.team else f"key {caller.key}"
    # A digest: no name can be made up that reaches into another's.
    return f"tools/{blake2b(said.encode(), digest_size=16).hexdigest()}/{token}"
