"""Data keys: one or more for each tenant, wrapped by the master key, in the database; and a copy for the workers.

Workers never see the database: the control process writes the wrapped keys to ``run/seals.json``, and who has the
master key (in the configuration that it was handed, or in ``var/master.key``) unwraps them in memory. So no key lies
open on the disk. To destroy a tenant's keys is to erase what they seal, wherever a copy of it lies.
"""

import base64
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from mainstay.core.clock import wall_ms
from mainstay.core.errors import StartError
from mainstay.core.ids import uuid7
from mainstay.governance import store
from mainstay.governance.config import SealingConfig
from mainstay.governance.masters import add_master, drop_masters, masters_of
from mainstay.governance.port import Master
from mainstay.governance.ring import HELD, Held, Seals, seals_path
from mainstay.governance.store import DataKeyRow
from mainstay.store.audit import record_event
from mainstay.store.files import private_dir, write_atomic
from mainstay.store.sealing import SealLost
from mainstay.store.sql import reading, wipe, writing

__all__ = ["Vault"]

_BYTES = 32
#: A tenant gets another key after this long (ms), so that none seals so much that nonces could meet.
_FRESH_MS = 30 * 86_400_000
#: Data keys that are wrapped anew in one transaction.
_AT_ONCE = 5000


class Vault:
    """The data keys of one installation.

    Args:
        engine: the database, migrated.
        home: the folder Mainstay writes to.
        rules: returns the settings in force.
        clock: wall-clock ms.
    """

    def __init__(
        self, engine: Engine, home: Path, rules: Callable[[], SealingConfig], clock: Callable[[], int] = wall_ms
    ) -> None:
        self._engine = engine
        self._home = home
        self._rules = rules
        self._clock = clock

    def masters(self) -> list[Master]:
        """Return the master keys, the current first. Raises StartError."""
        return masters_of(self._rules(), self._home)

    def ensure(self, tenants: Iterable[str]) -> int:
        """Make a key for each of ``tenants`` ("" is the installation) that has none or an old one; return how many."""
        now = self._clock()
        with reading(self._engine) as connection:
            newest = {row.tenant: row.created_at for row in store.data_keys(connection)}
        missing = [one for one in {*tenants, ""} if newest.get(one, 0) <= now - _FRESH_MS]
        if missing:
            master = self.masters()[0]
            with writing(self._engine) as connection:
                known = {row.tenant: row.created_at for row in store.data_keys(connection)}
                for tenant in sorted(missing):
                    if known.get(tenant, 0) <= now - _FRESH_MS:
                        store.add_data_key(self._engine, connection, self._make(master, tenant, now))
        return len(missing)

    def publish(self, homes: Mapping[str, str] | None = None) -> bool:
        """Write the wrapped keys, and the organisation of every team, for the workers if they changed; say whether
        they did. Without ``homes``, those of before stay.

        Raises:
            OSError: they cannot be written.
        """
        with reading(self._engine) as connection:
            rows = store.data_keys(connection)
        keys = [Held(row.id, row.tenant, row.master, base64.b64encode(row.wrapped).decode()) for row in rows]
        path = seals_path(self._home)
        try:
            before = msgspec.json.decode(path.read_bytes(), type=Seals)
        except (OSError, ValueError):
            if not keys:
                return False
            before = None
        known = before.homes if before is not None else {}
        fresh = Seals(keys, dict(homes) if homes is not None else known)
        if fresh == before:
            return False
        data = msgspec.json.encode(fresh)
        private_dir(path.parent)
        write_atomic(path, data)
        return True

    def rewrap(self) -> int:
        """Wrap by the current master what an older one wrapped, some thousand at a time; return how many are done.

        May be cut off at any moment: each key is wrapped by the one or the other.

        Raises:
            StartError: a key is wrapped by a master that nobody has.
        """
        masters = self.masters()
        current, known = masters[0], {one.id: one for one in masters}
        done = 0
        while True:
            with writing(self._engine) as connection:
                rows = store.data_keys(connection, not_by=current.id, limit=_AT_ONCE)
                store.rewrap_data_keys(connection, [self._anew(row, current, known) for row in rows])
            done += len(rows)
            if len(rows) < _AT_ONCE:
                return done

    def rotate(self, actor: str) -> int:
        """Make a new master key in ``var/master.key``, wrap every data key by it, forget the old; return how many.

        Cut off in the middle, it is ended by the next rotation or by the running server.

        Raises:
            StartError: the master key comes from the configuration: it is rotated there.
        """
        if self._rules().key is not None:
            raise StartError(
                "The master key comes from the configuration: put the new one at governance.sealing.key and the old "
                "one at old_keys; data keys are then wrapped anew."
            )
        add_master(self._home)
        # Whoever reads the new wrapping finds the new key in the file already.
        done = self.rewrap()
        with writing(self._engine) as connection:
            said: dict[str, str | int | bool | list[str] | None] = {"master": self.masters()[0].id, "data_keys": done}
            record_event(self._engine, connection, actor, "seals.rotate", "master", said)
        self.publish()
        drop_masters(self._home)
        return done

    def shred(self, tenant: str, actor: str) -> int:
        """Destroy the keys of a tenant, and with them all that they seal; return how many there were."""
        with writing(self._engine) as connection:
            count = store.remove_data_keys(connection, tenant)
            if count:
                record_event(self._engine, connection, actor, "seals.shred", tenant, {"data_keys": count})
        wipe(self._engine)
        self.publish()
        return count

    def rows(self) -> list[DataKeyRow]:
        """Return the data keys, the oldest first."""
        with reading(self._engine) as connection:
            return store.data_keys(connection)

    def _make(self, master: Master, tenant: str, now: int) -> DataKeyRow:
        name = uuid7()
        return DataKeyRow(name, tenant, master.id, master.wrap(secrets.token_bytes(_BYTES), HELD.format(name)), now)

    def _anew(self, row: DataKeyRow, current: Master, known: dict[str, Master]) -> DataKeyRow:
        master = known.get(row.master)
        if master is None:
            raise StartError(
                f"Data keys are wrapped by a master key '{row.master}' that is not configured: add it to "
                "governance.sealing.old_keys, or restore var/master.key from a backup."
            )
        about = HELD.format(row.id)
        try:
            wrapped = current.wrap(master.unwrap(row.wrapped, about), about)
        except SealLost:
            raise StartError(f"The data key '{row.id}' is damaged: restore the database from a backup.") from None
        return DataKeyRow(row.id, row.tenant, current.id, wrapped, row.created_at)
