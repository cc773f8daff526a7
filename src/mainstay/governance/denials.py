"""What policies decided, as events of the audit log: every call that was refused, and how many went elsewhere.

Workers reach no database: they put denials into the records, and the loader hands these on within the transaction that
loads the records. What is permitted is in no log of its own: the records tell of it.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, Engine

from mainstay.core.audit import Details
from mainstay.core.errors import PolicyDenied
from mainstay.core.record import Denial, Record
from mainstay.store.audit import Occurrence, record_events

__all__ = ["events_of", "post"]

#: The longest name in an event, and the most of a kind.
_CHARACTERS: Final = 128
_MOST: Final = 32


def post(engine: Engine, connection: Connection, records: Sequence[Record]) -> None:
    """Append to the audit log what policies kept records from, in the transaction that loads these.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: it cannot be kept; the records are loaded another time.
    """
    told = [record for record in records if record.denials]
    if told:
        record_events(engine, connection, list(events_of(told)))


def events_of(records: Sequence[Record]) -> Iterator[Occurrence]:
    """Yield an event for each call that was refused, and one for all that a policy kept a key from a model, and that
    another answered: at a busy route these would be as many as the calls."""
    diverted: dict[tuple[str, str, tuple[str, ...], str], int] = {}
    for record in records:
        if record.error == PolicyDenied.code:
            yield _refused(record)
            continue
        for denial in record.denials:
            about = (_actor(denial), denial.model, tuple(denial.policies), denial.version)
            diverted[about] = diverted.get(about, 0) + 1
    for (actor, model, policies, version), count in diverted.items():
        details: Details = {"calls": count, "policies": _named(policies), "version": version}
        yield actor, "policy.diverted", _subject("model", model), details


def _refused(record: Record) -> Occurrence:
    first = record.denials[0]
    details: Details = {
        "record": record.id,
        "models": _named([denial.model for denial in record.denials]),
        "policies": _named(dict.fromkeys(name for denial in record.denials for name in denial.policies)),
        "purpose": first.purpose,
        "data": _named(dict.fromkeys(kind for denial in record.denials for kind in denial.data)),
        "version": first.version,
    }
    return _actor(first), "policy.denied", _subject("route", record.route), details


def _actor(denial: Denial) -> str:
    return _subject("key", denial.key)


def _subject(kind: str, name: str) -> str:
    return f"{kind}:{name[:_CHARACTERS]}"


def _named(names: "Sequence[str] | dict[str, None]") -> list[str]:
    return [name[:_CHARACTERS] for name in list(names)[:_MOST]]
