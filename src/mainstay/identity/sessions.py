"""Who is at the door of the admin API: a key or a session becomes a principal with its grants.

Sessions are kept as keyed hashes of their tokens, as keys are. They end at an absolute time, when idle for too long,
when revoked, and at once when whom they are of may no longer come in. Blocking: for a thread.
"""

from collections.abc import Callable
from contextlib import suppress

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from mainstay.core.clock import wall_ms
from mainstay.core.errors import Unauthenticated
from mainstay.core.ids import uuid7
from mainstay.identity import store
from mainstay.identity.config import SessionsConfig
from mainstay.identity.directory import SYSTEM, grants_of
from mainstay.identity.keys import digest, new_token
from mainstay.identity.roles import Grant
from mainstay.identity.store import KeyRow, PersonRow, SessionRow
from mainstay.store.audit import record_event
from mainstay.store.sql import reading, writing

__all__ = ["Doorkeeper", "Principal"]

#: A session's last use is written down no more often than this (ms): looking is frequent, writing is not free.
_NOTE_MS = 60_000
#: Ended sessions are removed after this long (ms), when another one begins.
_KEEP_MS = 7 * 86_400_000
_REFUSAL = (
    "Sign in first: the session or key is missing, not valid, expired or revoked. "
    "Send a key as 'Authorization: Bearer ms-…', or sign in again."
)


class Principal(msgspec.Struct, frozen=True):
    """Who asks: a person, or a key. ``session`` is the id of the session that says so, "" for a key itself."""

    kind: str
    id: str
    name: str
    email: str = ""
    team: str = ""
    grants: tuple[Grant, ...] = ()
    session: str = ""


class Doorkeeper:
    """Tells principals by what they present, and begins and ends sessions.

    Args:
        engine: the database.
        pepper: what keys and tokens are hashed with.
        rules: returns how long sessions last.
        clock: wall-clock ms.
    """

    def __init__(
        self,
        engine: Engine,
        pepper: bytes,
        rules: Callable[[], SessionsConfig],
        clock: Callable[[], int] = wall_ms,
    ) -> None:
        self._engine = engine
        self._pepper = pepper
        self._rules = rules
        self._clock = clock

    def find(self, presented: str) -> Principal:
        """Return whose key or session this is.

        Raises:
            Unauthenticated: nobody's, or of someone who may no longer come in; one message for all.
        """
        if presented.startswith("mss-"):
            return self._of_session(presented)
        with reading(self._engine) as connection:
            found = self._of_key(
                connection, store.find_key(connection, digest(self._pepper, presented.encode())), presented
            )
        if found is None:
            raise Unauthenticated(_REFUSAL)
        return found

    def begin(self, holder_kind: str, holder: str, agent: str = "") -> tuple[str, SessionRow]:
        """Begin a session of a person or key by its id; return the token, at the only moment it can be read."""
        token, now = new_token(), self._clock()
        ends = now + round(self._rules().absolute * 1000)
        sealed = digest(self._pepper, token.encode())
        row = SessionRow(f"ses_{uuid7()}", sealed, holder_kind, holder, agent[:200], now, now, ends)
        with writing(self._engine) as connection:
            store.remove_sessions_before(connection, now - _KEEP_MS)
            store.add(connection, row)
            record_event(self._engine, connection, f"{holder_kind}:{holder}", "sessions.begin", f"session:{row.id}")
        return token, row

    def end(self, session: str, *, by: str = "") -> None:
        """End a session by its id; ending it again changes nothing."""
        with writing(self._engine) as connection:
            store.change(connection, SessionRow, session, revoked_at=self._clock())
            record_event(self._engine, connection, by or SYSTEM, "sessions.end", f"session:{session}")

    def session(self, session: str) -> SessionRow | None:
        """Return a session by its id."""
        with reading(self._engine) as connection:
            return store.find(connection, SessionRow, id=session)

    def _of_session(self, token: str) -> Principal:
        now = self._clock()
        with reading(self._engine) as connection:
            row = store.find(connection, SessionRow, digest=digest(self._pepper, token.encode()))
            if row is None or row.revoked_at is not None or not self._lasts(row, now):
                raise Unauthenticated(_REFUSAL)
            if row.holder_kind == "person":
                principal = _of_person(connection, row.holder)
            else:
                key = next((key for key in store.rows_named(connection, row.holder) if key.id == row.holder), None)
                # Who rotates a key does not trust the old one, nor what was opened with it.
                fresh = key is not None and (key.rotated_at or 0) < row.created_at
                principal = self._of_key(connection, key if fresh else None, None)
        if principal is None:
            raise Unauthenticated(_REFUSAL)
        if now - row.seen_at > min(_NOTE_MS, self._rules().idle * 100):
            # A database that cannot write for a moment is no reason to send people away.
            with suppress(DBAPIError), writing(self._engine) as connection:
                store.change(connection, SessionRow, row.id, seen_at=now)
        return msgspec.structs.replace(principal, session=row.id)

    def _lasts(self, row: SessionRow, now: int) -> bool:
        rules = self._rules()
        # Both are judged by the rules of now too: an edit that shortens them holds for sessions that are there.
        absolute = min(row.expires_at, row.created_at + round(rules.absolute * 1000))
        return now < absolute and now - row.seen_at < round(rules.idle * 1000)

    def _of_key(self, connection: Connection, row: KeyRow | None, presented: str | None) -> Principal | None:
        """Return who has the key, if it is alive; one that was rotated only within its grace."""
        now = self._clock()
        if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
            return None
        old = presented is not None and row.digest != digest(self._pepper, presented.encode())
        if old and (row.old_expires_at is None or row.old_expires_at <= now):
            return None
        return Principal("key", row.id, row.name, "", row.team, grants_of(connection, "key", row.id))


def _of_person(connection: Connection, holder: str) -> Principal | None:
    row = store.find(connection, PersonRow, id=holder)
    if row is None or row.disabled_at is not None:
        return None
    return Principal(
        "person", row.id, row.name or row.email or row.id, row.email, "", grants_of(connection, "person", holder)
    )
