"""What may be seen at a pin, as SQL: alive, of this version, not retracted, not expired, allowed, and as asked for.

One place, for every question, so that no way of finding a passage forgets a condition.
"""

from collections.abc import Sequence

import msgspec

from mainstay.grounding.port import Access, Meta
from mainstay.grounding.rows import FOREVER, Rows, many

__all__ = ["mask", "permitted"]

_META = msgspec.json.Decoder(Meta)

_PASSAGES = " JOIN passages q ON q.id = p.passage"
_ALIVE = (
    "places p JOIN holdings h ON h.version = p.version AND h.document = p.document AND h.lo <= :seq AND h.hi > :seq"
    " AND p.version = :version AND p.lo <= :seq AND p.hi > :seq"
    " AND NOT EXISTS (SELECT 1 FROM withdrawn w WHERE w.place = p.id)"
)


def mask(
    version: int, seq: int, now: int, access: Access | None, *, bare: bool = False
) -> tuple[str, dict[str, object]]:
    """Return what follows FROM (places ``p``, holdings ``h``, passages ``q``) and its values. ``now`` is wall-clock ms:
    what expired before is out; 0 for all. ``access`` None is for who may see everything. ``bare``: ``q`` is not asked
    for, and joined only where it decides."""
    values: dict[str, object] = {"version": version, "seq": seq, "now": now}
    needed = not bare or (access is not None and bool(access.without))
    where = _ALIVE + (_PASSAGES if needed else "")
    if now:
        where += " AND (h.expires = 0 OR h.expires > :now)"
    if access is None:
        return where, values
    if access.every:
        pass
    elif access.groups:
        where += (
            " AND (h.groups = '[]' OR EXISTS (SELECT 1 FROM json_each(h.groups) g"
            " WHERE g.value IN (SELECT value FROM json_each(:groups))))"
        )
        values["groups"] = many(sorted(access.groups))
    else:
        where += " AND h.groups = '[]'"
    for number, (key, value) in enumerate(access.where):
        own = f"f.key = :key{number} AND f.value = :value{number}"
        where += f" AND EXISTS (SELECT 1 FROM json_each(h.fields) f WHERE {own})"  # noqa: S608  # placeholders only
        values |= {f"key{number}": key, f"value{number}": value}
    if access.without:
        where += (
            " AND (q.flags = '[]' OR NOT EXISTS (SELECT 1 FROM json_each(q.flags) f"
            " WHERE f.value IN (SELECT value FROM json_each(:without))))"
        )
        values["without"] = many(sorted(access.without))
    return where, values


def permitted(db: Rows | None, document: int, meta: Meta, flags: Sequence[str], access: Access | None) -> bool:
    """Whether ``access`` lets a document be seen, of which ``meta`` is known: for what is no longer alive.

    Groups may have been narrowed since: where the document is alive still, in any version, what it says now counts too.
    """
    if access is None:
        return True
    rules = [meta.groups]
    if db is not None:
        now = "SELECT meta FROM holdings WHERE document = ? AND hi = ?"
        rules += [_META.decode(row).groups for (row,) in db.execute(now, (document, FOREVER))]
    if not access.every and not all(not groups or access.groups & set(groups) for groups in rules):
        return False
    if any(meta.fields.get(key) != value for key, value in access.where):
        return False
    return not access.without & set(flags)
