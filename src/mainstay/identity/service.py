"""What can be done with keys: make, list, change, revoke and rotate them, and tell the workers.

Stands between the key table and whoever administers keys: the command line and the admin API. Every change is one
transaction that also counts the version; :meth:`Keys.publish` then writes the snapshot that workers read. Works
whether or not a server runs. Does not know how a key is presented.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import EllipsisType

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from mainstay.core.clock import wall_ms
from mainstay.core.errors import InvalidRequest, NotFound, StartError
from mainstay.identity import store
from mainstay.identity.directory import SYSTEM, ensure_team, give, scope_of
from mainstay.identity.keyring import Snapshot, SnapshotEntry, snapshot_path
from mainstay.identity.keys import (
    check_key,
    check_name,
    digest,
    fingerprint,
    hint,
    load_pepper,
    new_id,
    new_key,
    parse_budget,
)
from mainstay.identity.roles import DEFAULT_ORGANISATION, Grant
from mainstay.identity.store import KeyRow
from mainstay.store.audit import record_event
from mainstay.store.files import private_dir, write_atomic
from mainstay.store.sql import reading, writing

__all__ = ["Keys", "Minted", "key_names"]

_log = logging.getLogger("mainstay.identity")
_FOREVER_MS = 100 * 365 * 86_400_000


class Minted(msgspec.Struct, frozen=True):
    """A key at the only moment it can be read."""

    key: str
    row: KeyRow


class Keys:
    """The keys of one installation: its database and its ``home`` directory.

    Raises:
        StartError: the secret in ``home`` is unreadable, or not the one the stored keys were hashed with.
    """

    def __init__(self, engine: Engine, home: Path) -> None:
        self._engine = engine
        self._home = home
        self._pepper = load_pepper(home)
        self._seen: tuple[int, int, int] | None = None
        self._published = -1
        mine = fingerprint(self._pepper)
        with reading(engine) as connection:
            theirs = store.get_setting(connection, "keys.pepper")
        if theirs is None:
            with writing(engine) as connection:
                theirs = store.put_setting(engine, connection, "keys.pepper", mine)
        if theirs != mine:
            raise StartError(
                f"'{home / 'secret.key'}' is not the secret that the stored keys were hashed with, so none "
                "can be recognised: restore the file from a backup, or begin again with an empty database."
            )

    def create(
        self,
        name: str,
        *,
        team: str = "",
        routes: tuple[str, ...] | None = None,
        lasts: float | None = None,
        budget: str | None = None,
        rpm: int | None = None,
        tpm: int | None = None,
        key: str | None = None,
        grants: Iterable[Grant] = (),
        by: str = "",
    ) -> Minted:
        """Make a key for ``name``; ``lasts`` is in seconds, None for ever. ``key`` brings one along from
        elsewhere. A team that is not there is made; ``grants`` are what the key may do in the admin API.

        Raises:
            InvalidRequest: an argument is not allowed; code ``key_exists`` when a living key has the name.
            NotFound: a grant is for a team or organisation that is not there.
        """
        check_name(name)
        if team:
            check_name(team, "team")
        fresh = new_key() if key is None else check_key(key)
        now = wall_ms()
        row = KeyRow(
            id=new_id(),
            name=name,
            team=team,
            routes=routes,
            digest=digest(self._pepper, fresh.encode()),
            hint=hint(fresh),
            created_at=now,
            expires_at=None if lasts is None else _after(now, lasts),
            budget=None if budget is None else parse_budget(budget),
            rpm=_positive("rpm", rpm),
            tpm=_positive("tpm", tpm),
        )
        try:
            with writing(self._engine) as connection:
                self._free(connection, name, now)
                ensure_team(self._engine, connection, team, by=by)
                store.insert(connection, row)
                # Not its name: it may be a person's.
                made = _limits(row) | {"team": team, "brought": key is not None}
                record_event(self._engine, connection, by or SYSTEM, "keys.create", f"key:{row.id}", made)
                for grant in grants:
                    scope_of(connection, grant.scope)
                    give(self._engine, connection, "key", row.id, grant, by=by)
                store.bump(self._engine, connection)
        except IntegrityError:
            raise InvalidRequest("This key is in use already.", param="key", code="key_exists", status=409) from None
        self.publish()
        return Minted(fresh, row)

    def _free(self, connection: Connection, name: str, now: int) -> None:
        """See that no living key has a name; one that has expired gives it free."""
        for other in store.rows_named(connection, name):
            if other.revoked_at is None and other.name == name:
                if other.expires_at is None or other.expires_at > now:
                    raise _exists(name)
                store.update(connection, msgspec.structs.replace(other, revoked_at=now))
                record_event(self._engine, connection, SYSTEM, "keys.revoke", f"key:{other.id}", {"expired": True})

    def list(self, *, revoked: bool = False) -> list[KeyRow]:
        """Return the keys, oldest first; revoked ones only if asked."""
        with reading(self._engine) as connection:
            return store.rows(connection, revoked=revoked)

    def find(self, reference: str) -> KeyRow:
        """Return a key by its id or name; of several with one name, the living one.

        Raises:
            NotFound: there is no such key.
        """
        with reading(self._engine) as connection:
            return _pick(store.rows_named(connection, reference), reference)

    def change(
        self,
        reference: str,
        *,
        routes: tuple[str, ...] | EllipsisType | None = ...,
        expires_at: int | EllipsisType | None = ...,
        budget: str | EllipsisType | None = ...,
        rpm: int | EllipsisType | None = ...,
        tpm: int | EllipsisType | None = ...,
        by: str = "",
    ) -> KeyRow:
        """Change what is given of a key; the rest (``...``) stays. ``expires_at`` is wall-clock ms; None takes a
        limit away.

        Raises:
            NotFound: there is no such key.
            InvalidRequest: it is revoked, or a value is not allowed.
        """
        given = {"routes": routes, "expires_at": expires_at, "budget": budget, "rpm": rpm, "tpm": tpm}
        values = {name: value for name, value in given.items() if value is not ...}
        if isinstance(budget, str):
            values["budget"] = parse_budget(budget)
        for name in ("rpm", "tpm"):
            value = values.get(name)
            _positive(name, value if isinstance(value, int) else None)
        with writing(self._engine) as connection:
            row = _pick(store.rows_named(connection, reference), reference)
            if row.revoked_at is not None:
                raise InvalidRequest("This key is revoked: create a new one instead.", param="key")
            row = msgspec.structs.replace(row, **values)
            store.update(connection, row)
            said = {name: value for name, value in _limits(row).items() if name in values}
            record_event(self._engine, connection, by or SYSTEM, "keys.change", f"key:{row.id}", said)
            store.bump(self._engine, connection)
        self.publish()
        return row

    def any_alive(self) -> bool:
        """Say whether anyone could call: a key that is neither revoked nor expired."""
        now = wall_ms()
        return any(row.expires_at is None or row.expires_at > now for row in self.list())

    def revoke(self, reference: str, *, by: str = "") -> KeyRow:
        """Revoke a key by its id or name, for good, an old one in its grace too. Revoking again changes
        nothing.

        Raises:
            NotFound: there is no such key.
        """
        with writing(self._engine) as connection:
            row = _pick(store.rows_named(connection, reference), reference)
            if row.revoked_at is None:
                row = msgspec.structs.replace(row, revoked_at=wall_ms())
                store.update(connection, row)
                record_event(self._engine, connection, by or SYSTEM, "keys.revoke", f"key:{row.id}")
                store.bump(self._engine, connection)
        self.publish()
        return row

    def rotate(self, reference: str, *, grace: float = 0.0, by: str = "") -> Minted:
        """Give a key a new secret under the same id, name and limits; the old one works for ``grace`` more
        seconds.

        Raises:
            NotFound: there is no such key.
            InvalidRequest: it is revoked or expired.
        """
        fresh = new_key()
        now = wall_ms()
        with writing(self._engine) as connection:
            row = _pick(store.rows_named(connection, reference), reference)
            if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
                raise InvalidRequest("This key is revoked or expired: create a new one instead.", param="name")
            row = msgspec.structs.replace(
                row,
                digest=digest(self._pepper, fresh.encode()),
                hint=hint(fresh),
                old_digest=row.digest if grace > 0 else None,
                old_expires_at=_after(now, grace) if grace > 0 else None,
                rotated_at=now,
            )
            store.update(connection, row)
            said = {"old_expires_at": row.old_expires_at}
            record_event(self._engine, connection, by or SYSTEM, "keys.rotate", f"key:{row.id}", said)
            store.bump(self._engine, connection)
        self.publish()
        return Minted(fresh, row)

    def publish(self) -> bool:
        """Write the snapshot for the workers if it is not the newest; say whether it was written.

        Cheap when nothing changed: one read of one row and one ``stat``.

        Raises:
            OSError: the snapshot cannot be written.
        """
        with reading(self._engine) as connection:
            version = _version(store.get_setting(connection, "keys.version"))
        if version == self._published and self._seen == _stamp(snapshot_path(self._home)) is not None:
            return False
        run = private_dir(self._home / "run")
        # The lock keeps a slow writer from putting an older state over a newer one.
        lock = os.open(run / "keys.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return self._write()
        finally:
            os.close(lock)

    def run(self, stop: threading.Event, *, interval: float = 0.2) -> None:
        """Publish whenever the keys changed, until ``stop`` is set; failures are logged and tried again."""
        failing = False
        while True:
            try:
                self.publish()
                failing = False
            except (SQLAlchemyError, OSError, StartError) as error:
                if not failing:
                    _log.warning("changes of keys do not reach the workers: %s", type(error).__name__)
                failing = True
            if stop.wait(interval):
                return

    def _write(self) -> bool:
        path = snapshot_path(self._home)
        with reading(self._engine) as connection:
            version = _version(store.get_setting(connection, "keys.version"))
            entries = _snapshot(store.rows(connection, revoked=False), store.organisation_of(connection))
            data = msgspec.json.encode(Snapshot(version, entries))
        try:
            written = path.read_bytes() != data
        except OSError:  # missing, or left by another user
            written = True
        if written:
            write_atomic(path, data)
        self._published, self._seen = version, _stamp(path)
        return written


def key_names(engine: Engine) -> dict[str, str]:
    """Return the name of every key by its id, revoked ones too."""
    with reading(engine) as connection:
        return {row.id: row.name for row in store.rows(connection, revoked=True)}


def _limits(row: KeyRow) -> dict[str, str | int | bool | list[str] | None]:
    """Return what the audit log says of what a key may do."""
    return {
        "routes": None if row.routes is None else list(row.routes),
        "expires_at": row.expires_at,
        "budget": row.budget,
        "rpm": row.rpm,
        "tpm": row.tpm,
    }


def _pick(rows: list[KeyRow], reference: str) -> KeyRow:
    if not rows:
        raise NotFound(f"No key is called '{reference}': 'mainstay keys list --all' shows what there is.")
    exact = [row for row in rows if row.id == reference]
    return (exact or [row for row in rows if row.revoked_at is None] or rows)[0]


def _snapshot(rows: list[KeyRow], homes: Mapping[str, str]) -> tuple[SnapshotEntry, ...]:
    entries = []
    for row in rows:
        home = homes.get(row.team, DEFAULT_ORGANISATION)
        for secret, until in ((row.digest, None), (row.old_digest, row.old_expires_at)):
            if secret is not None:
                ends = [time for time in (row.expires_at, until) if time is not None]
                until = min(ends, default=None)
                entries.append(
                    SnapshotEntry(
                        secret.hex(),
                        row.id,
                        row.name,
                        row.team,
                        row.routes,
                        until,
                        home,
                        row.budget or "",
                        row.rpm or 0,
                        row.tpm or 0,
                    )
                )
    return tuple(entries)


def _exists(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"A key called '{name}' exists: choose another name, or use 'mainstay keys rotate {name}'.",
        param="name",
        code="key_exists",
        status=409,
    )


def _version(text: str | None) -> int:
    return int(text or 0)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_ino, stat.st_size)


def _after(now: int, seconds: float) -> int:
    return now + min(round(seconds * 1000), _FOREVER_MS)


def _positive(param: str, value: int | None) -> int | None:
    if value is not None and value <= 0:
        raise InvalidRequest(f"{param} is a whole number above zero.", param=param)
    return value
