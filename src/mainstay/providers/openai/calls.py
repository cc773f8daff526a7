"""Which tool call a piece of a stream belongs to, also when the upstream numbers them wrongly.

The rule of the wire is: a call opens with its index, id and name, and later pieces carry the index and arguments.
Compatible servers leave the index out, put every call on index 0, use one index again for the next call, leave ids
out, or repeat id and name in every piece. Clients join pieces by index and append strings, so each of these breaks
them; here each becomes the same sequence of events, and the frame is marked as one that must be written anew.
"""

import msgspec

from mainstay.core.events import Event, ToolDelta, ToolStarted
from mainstay.providers.openai.wire import ChunkCall, arguments_text, mint_call_id

__all__ = ["Calls"]


class _Call:
    __slots__ = ("given", "held", "id", "index", "name", "pieces")

    def __init__(self, index: int, given: str, name: str) -> None:
        self.index = index
        #: The id the upstream gave, or "".
        self.given = given
        self.id = given or mint_call_id()
        self.name = name
        self.pieces: list[str] = []
        #: Whether the call began without its name: nothing can be said of it until the name comes.
        self.held = not name

    def is_complete(self) -> bool:
        """Return whether the arguments so far are valid JSON."""
        try:
            msgspec.json.decode("".join(self.pieces), type=msgspec.Raw)
        except (msgspec.DecodeError, RecursionError):
            return False
        return True


class Calls:
    """The tool calls of one choice, in the order they were opened."""

    __slots__ = ("_by_key", "_calls", "_choice")

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._calls: list[_Call] = []
        self._by_key: dict[int, _Call] = {}

    def is_whole(self) -> bool:
        """Return whether every call has a name."""
        return all(call.name for call in self._calls)

    def read(self, piece: ChunkCall, events: list[Event]) -> bool:
        """Append what ``piece`` says to ``events``; return whether the wire says it wrongly."""
        key, given = piece.index, piece.id or ""
        function = piece.function
        name = (function.name or "") if function is not None else ""
        arguments = arguments_text(function.arguments) if function is not None else ""
        wrong = function is not None and isinstance(function.arguments, dict)
        call = self._find(key, given, name, arguments)
        opens = call is None
        if call is None:
            if any(other.given == given for other in self._calls):
                given = ""
            call = _Call(len(self._calls), given, name)
            self._calls.append(call)
        if key is not None:
            self._by_key[key] = call
        wrong = wrong or key != call.index or call.held or (not given if opens else bool(given or name))
        if not call.name and name:
            call.name = name
        if call.name and (opens or call.held):
            call.held = False
            events.append(ToolStarted(call.id, call.name, call.index, self._choice))
            arguments = "".join(call.pieces) + arguments
            call.pieces = []
        if arguments:
            call.pieces.append(arguments)
            if not call.held:
                events.append(ToolDelta(arguments, call.index, self._choice))
        return wrong

    def _find(self, key: int | None, given: str, name: str, arguments: str) -> _Call | None:
        """Return the call a piece goes on with, or None when it opens a new one."""
        current = self._by_key.get(key) if key is not None else (self._calls[-1] if self._calls else None)
        if given:
            known = next((call for call in self._calls if call.given == given), None)
            if known is not None and (known is current or key is None or not name):
                return known
            # A new id with a name is a new call; a new id alone is an upstream that mints one per piece.
            return None if name else current
        if current is None or not name or not current.name:
            return current
        if name != current.name or (arguments and current.is_complete()):
            return None
        return current
