"""Where something stands in the caller's request: what an error names, in the caller's words.

A codec that cannot say a part of a prompt knows the prompt, and not how the caller wrote it: on one wire a system
prompt is a message and on another a field, a call is a part of a turn or an item of its own. So codecs name places of
the prompt, and here, above all of them, a place becomes the caller's; each dialect's :class:`~mainstay.core.call.Ask`
knows how. A message that a stage of the line has added stands nowhere in the request.
"""

import re
from collections.abc import Sequence

from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.prompt import Message, ToolResultPart
from mainstay.providers.lacking import caller_word

__all__ = ["message_at", "name_place", "part_at"]

_PLACE = re.compile(r"prompt\.messages\[(\d+)\](?:\.parts\[(\d+)\](?:\.parts\[(\d+)\])?)?(?:\.(.+))?")


def message_at(position: int) -> str:
    """Return the place of a message in a prompt."""
    return f"prompt.messages[{position}]"


def part_at(at: str, position: int) -> str:
    """Return the place of a part in the message or the result ``at``."""
    return f"{at}.parts[{position}]"


def name_place(error: MainstayError, ask: Ask, *, sent: bool = False) -> None:
    """Put what ``error`` names into the words of the caller of ``ask``, in its sentence too.

    ``sent`` says that an upstream may have named it, and so in the words of its own wire.
    """
    given = error.param
    if given is None:
        return
    found = _PLACE.fullmatch(given)
    if found is None:
        named = caller_word(given, (ask.origin or ask).dialect, sent=sent)
    else:
        parts = tuple(int(number) for number in found.groups()[1:3] if number is not None)
        named = _named(ask, int(found[1]), parts, found[4] or "")
    if named != given:
        error.param = named
        error.message = error.message.replace(f"'{given}'", f"'{named}'")
        error.args = (error.message,)


def _named(ask: Ask, message: int, parts: tuple[int, ...], field: str) -> str:
    origin = ask.origin or ask
    place: tuple[int, tuple[int, ...]] | None = (message, parts)
    if origin is not ask:
        place = _found(ask.prompt.messages[message], parts, origin.prompt.messages)
    if place is None or origin.place is None:
        return caller_word("messages", origin.dialect)
    return origin.place(origin, *place, field)


def _found(message: Message, parts: tuple[int, ...], said: Sequence[Message]) -> tuple[int, tuple[int, ...]] | None:
    """Return where the caller said ``message``, or its part, among ``said``; None where that came from a stage."""
    for position, other in enumerate(said):
        if other is message:
            return position, parts
    if not parts:
        return None
    meant = message.parts[parts[0]]
    for position, other in enumerate(said):
        for number, part in enumerate(other.parts):
            if part is meant:
                return position, (number, *parts[1:])
            if len(parts) > 1 and isinstance(part, ToolResultPart) and isinstance(meant, ToolResultPart):
                for inner, piece in enumerate(part.content):
                    if piece is meant.content[parts[1]]:
                        return position, (number, inner)
    return None
