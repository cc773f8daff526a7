"""What pages of several nouns share: a list as it is answered, and how people write a moment."""

from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel

from mainstay.core.clock import wall_ms
from mainstay.core.config import parse_duration
from mainstay.core.errors import InvalidRequest

__all__ = ["Deleted", "Page", "moment", "seconds"]

_T = TypeVar("_T")


class Page(BaseModel, Generic[_T]):
    """A list; when there is more, ask again with ``before`` (or ``after``) set to ``last``."""

    object: Literal["list"] = "list"
    data: list[_T]
    has_more: bool = False
    last: str | None = None


class Deleted(BaseModel):
    """What was deleted."""

    id: str
    deleted: Literal[True] = True


def moment(text: str, param: str) -> int:
    """Return wall-clock ms for ``15m`` (so long ago) or ``2026-11-21T08:00`` (UTC unless it says otherwise).

    Raises:
        InvalidRequest: it is neither.
    """
    try:
        return wall_ms() - round(parse_duration(text) * 1000)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(
            f"'{param}' is 15m, 1h, 7d, or a time such as 2026-11-21T08:00 (UTC).", param=param
        ) from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def seconds(text: str, param: str) -> float:
    """Return the seconds of ``12h`` or ``90d``.

    Raises:
        InvalidRequest: it is no duration.
    """
    try:
        return parse_duration(text)
    except ValueError as error:
        raise InvalidRequest(f"'{param}' cannot be read: {error}.", param=param) from None
