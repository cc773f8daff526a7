"""Characters that an upstream has cut in two, put together again over the events of a stream.

Servers that count in UTF-16 may end one piece of text with the first half of a character and begin the next with the
second. Alone neither half is text, and joined by a client they are two signs for damage in the place of one character,
in the arguments of a call as in words. So a first half waits here for its second.
"""

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["Halves"]

_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
#: What stands for a half that stayed alone.
_DAMAGED = "\ufffd"

#: The choice, and where in its delta; of a text that is no argument one word says where.
_Place = tuple[str, ...]
_PLAIN = 2


class Halves:
    """The first halves of one stream that wait; ``held`` by the place of the text that they end."""

    __slots__ = ("held",)

    def __init__(self) -> None:
        self.held: dict[_Place, str] = {}

    def join(self, data: bytes) -> bytes:
        """Return an event with its texts made whole; itself where there is nothing to do, or it cannot be read.

        Halves that are no part of a cut stay where they are.
        """
        if not self.held and b"\\u" not in data and b"\xed" not in data:
            return data
        try:
            body = json.loads(data.decode("utf-8", "surrogatepass"))
        except (ValueError, RecursionError):
            return data
        changed = False
        for choice in _dicts(body, "choices"):
            index = str(choice.get("index", 0))
            delta = choice.get("delta")
            if not isinstance(delta, dict):
                continue
            for at, holder, name in _texts(delta):
                before = holder[name]
                holder[name] = self._text((index, *at), before)
                changed = changed or holder[name] != before
            if choice.get("finish_reason"):
                changed = self._give_up(index, delta) or changed
        if not changed:
            return data
        return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    def _text(self, at: _Place, text: str) -> str:
        """Return a piece of text with the half that waited before it, and without the one that waits from now on."""
        if not text:
            return text
        if (half := self.held.pop(at, "")) != "":
            text = (half if _is_low(text[0]) else _DAMAGED) + text
        if _is_high(text[-1]):
            self.held[at] = text[-1]
            text = text[:-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")

    def _give_up(self, index: str, delta: dict[str, Any]) -> bool:
        """Say in the texts of a choice that ends where a half never came; return whether there was one."""
        given = [at for at in self.held if at[0] == index]
        for at in given:
            del self.held[at]
            if len(at) == _PLAIN:
                delta[at[1]] = (delta.get(at[1]) or "") + _DAMAGED
        return bool(given)


def _texts(delta: dict[str, Any]) -> Iterator[tuple[_Place, dict[str, Any], str]]:
    """Yield the place, the object and the name of every piece of text in a delta."""
    for name in _TEXTS:
        if isinstance(delta.get(name), str):
            yield (name,), delta, name
    called = delta.get("function_call")
    if isinstance(called, dict) and isinstance(called.get("arguments"), str):
        yield ("function_call", "arguments"), called, "arguments"
    for call in _dicts(delta, "tool_calls"):
        function = call.get("function")
        if isinstance(function, dict) and isinstance(function.get("arguments"), str):
            yield ("tool_calls", str(call.get("index")), "arguments"), function, "arguments"


def _dicts(holder: Any, name: str) -> list[dict[str, Any]]:
    items = holder.get(name) if isinstance(holder, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _is_high(character: str) -> bool:
    return "\ud800" <= character <= "\udbff"


def _is_low(character: str) -> bool:
    return "\udc00" <= character <= "\udfff"
