"""What is done to records in the background: content that lies plain is sealed, and what is due is removed.

Each call does a little and says how much, so that whoever calls can let others write between.
"""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Engine

from mainstay.core.clock import wall_ms
from mainstay.store.sealing import Seal, SealLost, key_of, request_about, response_about
from mainstay.store.sql import reading, writing
from mainstay.telemetry.erasing import (
    ContentRow,
    expire_contents,
    expire_records,
    replace_contents,
    select_contents,
)

__all__ = ["expire", "reseal"]


def reseal(engine: Engine, seal: Seal, keys: Sequence[str], after: str, most: int = 200) -> tuple[int, str | None]:
    """Seal contents that one of ``keys`` seals ("": plain ones) with their tenant's key, from a record's id on.

    Returns how many were sealed, and the id to go on after, None at the end. One that does not open stays.
    """
    with reading(engine) as connection:
        rows = select_contents(connection, keys, after, most)
    fresh = []
    for row in rows:
        try:
            fresh.append((row, _sealed(row, seal)))
        except SealLost:
            continue
    if fresh:
        with writing(engine) as connection:
            replace_contents(connection, fresh)
    return len(fresh), rows[-1].record_id if len(rows) == most else None


def expire(
    engine: Engine,
    content: Mapping[str, float],
    records: Mapping[str, float],
    usual: tuple[float | None, float | None],
    most: int = 500,
) -> tuple[int, int]:
    """Remove contents and records that are due; return how many of each. Less than ``most`` of both: all that was due.

    Args:
        engine: the database.
        content: seconds that content is kept, by route.
        records: seconds that records are kept, by route.
        usual: seconds for content and for records of every other route; None: for ever.
        most: how many of each at once.
    """
    now = wall_ms()

    def before(ages: Mapping[str, float]) -> dict[str, int]:
        return {route: now - round(age * 1000) for route, age in ages.items()}

    def end(age: float | None) -> int | None:
        return None if age is None else now - round(age * 1000)

    gone = (0, 0)
    if content or usual[0] is not None:
        with writing(engine) as connection:
            gone = (expire_contents(connection, before(content), end(usual[0]), most), 0)
    if records or usual[1] is not None:
        with writing(engine) as connection:
            gone = (gone[0], expire_records(connection, before(records), end(usual[1]), most))
    return gone


def _sealed(row: ContentRow, seal: Seal) -> ContentRow:
    about = (request_about(row.record_id), response_about(row.record_id))
    request, response = seal.open_text(row.request, about[0]), seal.open_text(row.response, about[1])
    home = (row.organisation, row.team)
    sealed = seal.seal_text(request, about[0], *home)
    return msgspec.structs.replace(
        row, request=sealed, response=seal.seal_text(response, about[1], *home), data_key=key_of(sealed)
    )
