"""All that is kept, put together: the places that are searched for a subject, what opens what is sealed, and a report.

The report is what data minimisation asks for: what is kept, why, until when, and how much of it there is.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mainstay.config.load import Loaded
from mainstay.config.schema import Config
from mainstay.core.config import format_duration

if TYPE_CHECKING:  # the database library costs a worker a third of a second and 30 MB
    from sqlalchemy import Engine

    from mainstay.core.subject import Place, Subject
    from mainstay.governance.reviews_desk import ReviewDesk
    from mainstay.governance.vault import Vault
    from mainstay.store.sealing import KeyedSeal

__all__ = ["Kept", "open_places", "open_reviews", "open_seal", "open_vault", "redacted_routes", "report", "resolve"]

_LEDGER = "books must be kept; they hold no content and no user"


class Kept(msgspec.Struct, frozen=True):
    """A class of what is kept. ``until`` is a time after it was made, or what ends it; ``count`` None: not counted."""

    what: str
    where: str
    why: str
    until: str
    count: int | None
    sealed: str = ""


def redacted_routes(config: Config) -> frozenset[str]:
    """Return the routes whose content is to be redacted before it is kept."""
    return frozenset(name for name, route in config.routes.items() if route.content == "redacted")


def open_vault(engine: "Engine", loaded: Loaded) -> "Vault":
    """Return the data keys of an installation."""
    from mainstay.governance.vault import Vault

    return Vault(engine, loaded.home, lambda: loaded.config.governance.sealing)


def open_seal(engine: "Engine", loaded: Loaded) -> "KeyedSeal":
    """Return what opens all that is sealed, and seals what is new where that is wanted.

    Raises:
        OSError, StartError: the keys cannot be read.
    """
    from mainstay.governance.ring import SealRing

    open_vault(engine, loaded).publish()
    ring = SealRing(loaded.home, loaded.config.governance.sealing)
    ring.refresh()
    return ring.seal


def open_reviews(engine: "Engine", loaded: Loaded, seal: "KeyedSeal") -> "ReviewDesk":
    """Return the requests that wait for a person."""
    from mainstay.governance.reviews_desk import ReviewDesk

    return ReviewDesk(engine, loaded.home, lambda: loaded.config.governance.reviews, seal)


def open_places(engine: "Engine", loaded: Loaded, seal: "KeyedSeal") -> "list[Place]":
    """Return every place, in the order in which a subject is erased: what is found by its records before them."""
    from mainstay.batches.subjects import FilePlace
    from mainstay.caching.places import CachePlace
    from mainstay.caching.service import open_shelf
    from mainstay.governance.places import ValuePlace
    from mainstay.governance.reviews_place import ReviewPlace
    from mainstay.store.kv import open_table
    from mainstay.telemetry.subjects import JournalPlace, RecordPlace, RejectedPlace

    journals = loaded.home / "journal"
    return [
        CachePlace(lambda: open_shelf(loaded.config.cache, loaded.home), seal),
        ValuePlace(open_table(loaded.config.store.url, loaded.home), seal, time.time()),
        FilePlace(engine, loaded.home, seal),
        ReviewPlace(open_reviews(engine, loaded, seal)),
        JournalPlace(engine, journals, seal),
        RejectedPlace(journals),
        RecordPlace(engine, seal),
    ]


def resolve(engine: "Engine", subject: "Subject", seal: "KeyedSeal") -> "Subject":
    """Return a subject with what is known of it: the ids and names of a key, and the ids of its records."""
    from mainstay.identity.service import key_names
    from mainstay.telemetry.subjects import ids_of

    if subject.kind == "key":
        names = key_names(engine)
        same = {id_ for id_, name in names.items() if subject.value in (id_, name)}
        keys = (subject.value, *sorted(same), *sorted({names[one] for one in same} - {subject.value}))
        subject = msgspec.structs.replace(subject, keys=tuple(dict.fromkeys(keys)))
    return msgspec.structs.replace(subject, records=ids_of(engine, subject, seal))


def report(engine: "Engine", loaded: Loaded) -> list[Kept]:
    """Return what is kept, class by class."""
    return [*_records(engine, loaded), *_others(engine, loaded)]


def _records(engine: "Engine", loaded: Loaded) -> Iterator[Kept]:
    from mainstay.store.sql import reading
    from mainstay.telemetry.erasing import kept

    config = loaded.config
    usual = config.governance.retention
    with reading(engine) as connection:
        counts = kept(connection)
    for name in sorted({*config.routes, *counts}):
        route = config.routes.get(name)
        own = route.retention if route is not None else None
        records, contents, plain = counts.get(name, (0, 0, 0))
        until = (own.records if own is not None else None) or usual.records
        shown = f"records of route {name}" if name else "records of refused calls"
        yield Kept(shown, "database", "cost, limits, faults, quality", _until(until), records)
        policy = route.content if route is not None else "none"
        if policy != "none" or contents:
            until = (own.content if own is not None else None) or usual.content or until
            sealed = "no" if plain == contents and contents else f"{contents - plain} of {contents}"
            why = f"content: {policy}"
            yield Kept(f"content of route {name}", "database, journals", why, _until(until), contents, sealed)


def _others(engine: "Engine", loaded: Loaded) -> Iterator[Kept]:
    from mainstay.batches.service import node_of
    from mainstay.batches.store import files_of_node
    from mainstay.governance.places import rows_of
    from mainstay.identity.directory import Directory
    from mainstay.identity.service import key_names
    from mainstay.store.audit import log_size
    from mainstay.store.kv import open_table
    from mainstay.store.sealing import is_sealed
    from mainstay.store.sql import reading

    config, usual = loaded.config, loaded.config.governance.retention
    rows = [value for _, value, _ in rows_of(open_table(config.store.url, loaded.home))]
    sealed = f"{sum(map(is_sealed, rows))} of {len(rows)}"
    life = min(config.responses.expire, usual.responses or config.responses.expire)
    yield Kept(
        "stored responses, turns with tools", "key-values", "callers go on with them", _until(life), len(rows), sealed
    )
    with reading(engine) as connection:
        files = len(files_of_node(connection, node_of(loaded.home)))
        events = log_size(connection)
    life = min(config.batches.expire, usual.files or config.batches.expire)
    yield Kept("files of callers and batches", "var/files", "batches", _until(life), files, "no")
    yield from _answers(loaded)
    yield from _reviews(engine, loaded)
    histories = len(list((loaded.home / "novelty").glob("*.safetensors")))
    if histories:
        until = "fitted again without what was erased, or forgotten"
        yield Kept("histories of routes", "var/novelty", "novelty; vectors without words", until, histories, "no")
    waiting = _count_files(loaded.home / "journal")
    yield Kept("journals", "var/journal", "no call is lost", "loaded and the worker ended, or 64 MiB", waiting)
    yield Kept("ledger", "database", _LEDGER, "for ever", None)
    yield Kept("audit log", "database", "who did what", "for ever; ids only", events)
    yield Kept("keys", "database", "who may call", "for ever; secrets as keyed hashes", len(key_names(engine)))
    people = len(Directory(engine).people())
    yield Kept("people who signed in", "database", "who may administer", "for ever: name, email", people)


def _answers(loaded: Loaded) -> Iterator[Kept]:
    from mainstay.caching.service import open_shelf
    from mainstay.core.errors import Unavailable

    config = loaded.config
    lives = [route.cache.lifetime for route in config.routes.values() if route.cache is not None]
    shelf = open_shelf(config.cache, loaded.home)
    try:
        count: int | None = shelf.counts().answers
    except Unavailable:
        count = None
    finally:
        shelf.close()
    if lives or count:
        where = "cache.url" if config.cache.url is not None else "var/cache.db, workers' memory"
        sealed = "yes" if config.governance.sealing.enabled else "no"
        until = _until(max(lives)) if lives else "expired"
        yield Kept("answers of routes with a cache", where, "equal requests are answered again", until, count, sealed)


def _reviews(engine: "Engine", loaded: Loaded) -> Iterator[Kept]:
    from mainstay.governance.reviews_store import count_contents, count_reviews
    from mainstay.store.sql import reading

    rules = loaded.config.governance.reviews
    with reading(engine) as connection:
        contents, plain = count_contents(connection)
        decisions = sum(count_reviews(connection).values())
    yield Kept(
        "requests held for a person",
        "database, var/reviews",
        "a rail wants a person's word",
        _until(rules.keep),
        contents,
        f"{contents - plain} of {contents}",
    )
    why = "how often a rail is right; no words"
    yield Kept("reviews and decisions", "database", why, _until(rules.history), decisions)


def _count_files(folder: Path) -> int:
    from mainstay.store.journal import journal_files

    return len(journal_files(folder))


def _until(seconds: float | None) -> str:
    return "for ever" if seconds is None else format_duration(seconds)
