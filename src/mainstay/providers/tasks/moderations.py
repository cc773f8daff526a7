"""``POST /v1/moderations``: is a text, or an image, allowed."""

from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.errors import InvalidRequest
from mainstay.core.target import Operation
from mainstay.providers.openai.door import read_body
from mainstay.providers.tasks.exchange import (
    UNREADABLE,
    Exchange,
    broken,
    estimated,
    make_ask,
    read_body_usage,
    refuse_answer,
)

__all__ = ["ModerationsExchange", "TextsAsked", "read_moderations"]

#: What the official API takes when no model is named, which most callers leave out.
_DEFAULT = "omni-moderation-latest"
_NOTHING = msgspec.Raw(b"")


class TextsAsked(msgspec.Struct, frozen=True):
    """How many verdicts a request wants, and how much text it has, in bytes."""

    count: int
    size: int


class _Door(msgspec.Struct, gc=False):
    input: str | list[Any]
    model: str | None = None


class _Result(msgspec.Struct, gc=False):
    flagged: bool
    categories: dict[str, Any]


class _Answer(msgspec.Struct, gc=False):
    results: list[_Result]
    id: str | None = None
    model: str | None = None
    usage: msgspec.Raw = _NOTHING


_door = msgspec.json.Decoder(_Door)
_answer = msgspec.json.Decoder(_Answer)


def read_moderations(body: bytes) -> Ask:
    """Read the body of a request.

    Raises:
        InvalidRequest: it is not what the wire allows; ``param`` names the field.
    """
    door = read_body(_door, body, "")
    given = door.input
    if not given and not isinstance(given, str):
        raise InvalidRequest("'input' is empty; send at least one text.", param="input")
    # Parts of one message have one verdict, texts of a list have one each.
    parts = isinstance(given, list) and isinstance(given[0], dict)
    asked = TextsAsked(1 if parts or isinstance(given, str) else len(given), len(body))
    return make_ask(body, Operation.MODERATION, door.model or _DEFAULT, asked, again=read_moderations)


class ModerationsExchange(Exchange):
    """One call for verdicts."""

    def whole(self, body: bytes) -> Whole:
        """Read an answer.

        Raises:
            UpstreamBroken: it has not one verdict for each input.
            MainstayError: it is an error under a status of 200.
        """
        asked = self._ask.found
        assert isinstance(asked, TextsAsked)
        try:
            answer = _answer.decode(body)
            body.decode()
        except UNREADABLE:
            refuse_answer(body, "verdicts that cannot be read")
        if len(answer.results) != asked.count:
            raise broken(f"{len(answer.results)} verdicts for {asked.count} inputs")
        usage = read_body_usage(answer.usage) or estimated(asked.size)
        return self.answered(body, usage, id=answer.id or "", model=answer.model or "")
