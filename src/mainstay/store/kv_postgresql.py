"""The table of key-values in PostgreSQL: see ``kv``, which uses it from one thread."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy import Connection, Engine, bindparam, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from mainstay.store.port import TableLost

__all__ = ["PostgresTable"]

_T = TypeVar("_T")
#: "mainstay" as a number, and one: only one process makes the table at a time.
_LOCK = 0x6D61696E73746179 + 1
_TABLE = "CREATE TABLE IF NOT EXISTS mainstay_kv (key text PRIMARY KEY, value bytea NOT NULL, expires float8 NOT NULL)"
_INDEX = "CREATE INDEX IF NOT EXISTS mainstay_kv_expires ON mainstay_kv (expires)"
_READ = text("SELECT key, value FROM mainstay_kv WHERE key IN :keys AND expires > :now").bindparams(
    bindparam("keys", expanding=True)
)
_WRITE = text(
    "INSERT INTO mainstay_kv VALUES (:key, :value, :expires)"
    " ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires"
)
_SCAN = text("SELECT key, value, expires FROM mainstay_kv WHERE key > :after ORDER BY key LIMIT :most")
_SWAP = text("UPDATE mainstay_kv SET value = :new WHERE key = :key AND value = :old")
_CLIP = text("UPDATE mainstay_kv SET expires = :expires WHERE expires > :expires")
_REMOVE = text("DELETE FROM mainstay_kv WHERE key IN :keys").bindparams(bindparam("keys", expanding=True))
_SWEEP = text(
    "DELETE FROM mainstay_kv WHERE key IN (SELECT key FROM mainstay_kv WHERE expires <= :now LIMIT :most"
    " FOR UPDATE SKIP LOCKED)"
)


class PostgresTable:
    """Implements ``kv.Table``; the table is made at the first use."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine: Engine | None = None

    def read(self, keys: Sequence[str], now: float) -> dict[str, bytes]:
        """Return the rows of ``keys`` that have not expired."""

        def work(db: Connection) -> dict[str, bytes]:
            rows = db.execute(_READ, {"keys": list(keys), "now": now})
            return {key: bytes(value) for key, value in rows}

        return self._do(work)

    def write(self, values: Mapping[str, bytes], expires: float) -> None:
        """Write all rows in one transaction."""
        # In one order everywhere, so that two that write the same keys cannot wait for each other.
        rows = [{"key": key, "value": values[key], "expires": expires} for key in sorted(values)]
        self._do(lambda db: db.execute(_WRITE, rows))

    def remove(self, keys: Sequence[str]) -> None:
        """Remove the rows of ``keys``."""
        self._do(lambda db: db.execute(_REMOVE, {"keys": sorted(keys)}))

    def scan(self, after: str, most: int) -> list[tuple[str, bytes, float]]:
        """Return rows by their keys, after one, expired ones too."""

        def work(db: Connection) -> list[tuple[str, bytes, float]]:
            rows = db.execute(_SCAN, {"after": after, "most": most})
            return [(key, bytes(value), expires) for key, value, expires in rows]

        return self._do(work)

    def swap(self, key: str, old: bytes, new: bytes) -> None:
        """Put a value in the place of another, if that is still there."""
        self._do(lambda db: db.execute(_SWAP, {"key": key, "old": old, "new": new}))

    def clip(self, expires: float) -> None:
        """Have what would expire later than ``expires`` expire then."""
        self._do(lambda db: db.execute(_CLIP, {"expires": expires}))

    def sweep(self, now: float, most: int) -> None:
        """Remove rows that have expired."""
        self._do(lambda db: db.execute(_SWEEP, {"now": now, "most": most}))

    def close(self) -> None:
        """Close every connection."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    def _do(self, work: Callable[[Connection], _T]) -> _T:
        try:
            with self._opened().begin() as connection:
                return work(connection)
        except (SQLAlchemyError, ModuleNotFoundError) as error:
            raise TableLost(str(getattr(error, "orig", None) or error)) from error

    def _opened(self) -> Engine:
        if self._engine is None:
            url = make_url(self._url)
            if url.drivername == "postgresql":
                url = url.set(drivername="postgresql+psycopg")
            # Parameters are people's words: they stay out of error messages.
            engine = create_engine(
                url,
                hide_parameters=True,
                pool_pre_ping=True,
                pool_size=1,
                connect_args={"connect_timeout": 3, "options": "-c statement_timeout=3000"},
            )
            try:
                self._make(engine)
            except SQLAlchemyError:
                engine.dispose()
                raise
            self._engine = engine
        return self._engine

    def _make(self, engine: Engine) -> None:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            connection.execute(text(_TABLE))
            connection.execute(text(_INDEX))
