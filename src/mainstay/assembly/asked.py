"""What recorded calls asked: the user's last words, in no one's dialect. For what learns from a route's history."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from mainstay.core.call import Ask
from mainstay.core.errors import MainstayError
from mainstay.core.record import Record
from mainstay.guardrails.bodies import last_words
from mainstay.providers import anthropic, completions, openai, responses

if TYPE_CHECKING:  # the database library costs a worker a third of a second and 30 MB
    from sqlalchemy import Engine

    from mainstay.store.sealing import Seal

__all__ = ["asked_text", "recorded_texts"]

_READERS: Final[Mapping[str, Callable[[bytes], Ask]]] = {
    "/v1/chat/completions": openai.read_ask,
    "/v1/messages": anthropic.read_ask,
    "/v1/responses": responses.read_ask,
    "/v1/completions": completions.read_ask,
}
_PAGE: Final = 500


def asked_text(record: Record) -> str:
    """Return the user's last words in a record; "" where its content was not kept, is cut, or holds no words."""
    reader = _READERS.get(record.path)
    if record.content is None or reader is None:
        return ""
    try:
        return last_words(reader(record.content.request.encode("utf-8", "replace")).prompt)
    except (MainstayError, msgspec.MsgspecError, ValueError):
        return ""


def recorded_texts(
    engine: "Engine", seal: "Seal", route: str, since: int, until: int | None, most: int
) -> Iterator[tuple[int, str]]:
    """Yield when (wall-clock ms) and what was asked of a route, newest first, up to ``most`` of them.

    Sealed content is opened where its key is here, and passed over where it is not.
    """
    from mainstay.telemetry.service import get_record, list_records
    from mainstay.telemetry.store import RecordFilter

    where = RecordFilter(since=since, until=until, route=route, outcome="ok")
    turn = partial(list_records, engine, where, limit=_PAGE)
    before, found = None, 0
    while page := turn(before=before):
        for bare in page:
            record = get_record(engine, bare.id, seal) if bare.path in _READERS else None
            text = asked_text(record) if record is not None else ""
            if text:
                yield bare.at, text
                found += 1
                if found == most:
                    return
        before = page[-1].id
