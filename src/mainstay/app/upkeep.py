"""What the control process does beside loading records: it keeps what is kept in order.

It signs the audit log and notes which configuration is in force, makes and hands out keys of sealed content, seals what
lies plain, and removes what is due. One thread; each round is short, and whatever fails is tried again.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from mainstay.batches.store import clip_files
from mainstay.batches.upkeep import seal_files
from mainstay.config.load import Loaded
from mainstay.core.clock import monotonic
from mainstay.core.errors import StartError
from mainstay.governance.places import seal_values
from mainstay.governance.reviews_desk import ReviewDesk
from mainstay.governance.ring import SealRing
from mainstay.governance.service import AuditLog, anchor_path
from mainstay.governance.vault import Vault
from mainstay.store.audit import record_event, select_entries
from mainstay.store.kv import open_table
from mainstay.store.port import TableLost
from mainstay.store.sealing import SealLost
from mainstay.store.sql import reading, writing
from mainstay.telemetry.upkeep import expire, reseal

__all__ = ["Upkeep"]

_log = logging.getLogger("mainstay.governance")
#: Seconds between two rounds; between two looks for new tenants; and between two looks for what lies plain.
_ROUND = 0.5
_TENANTS = 1.0
_PLAIN = 30.0
#: What is removed, or sealed, of one kind in one go.
_MOST = 500


class Upkeep:
    """Keeps the installation in order.

    Args:
        engine: the database, migrated.
        loaded: returns the configuration in force.
        homes: returns the organisation of every team, and under "" of keys without one.

    Raises:
        StartError: the audit log's key can be neither read nor made.
    """

    def __init__(self, engine: Engine, loaded: Callable[[], Loaded], homes: Callable[[], Mapping[str, str]]) -> None:
        self._engine = engine
        self._loaded = loaded
        self._homes = homes
        self._noted = ""
        self._due: dict[str, float] = {}
        self._failing: set[str] = set()
        self._audit = self._open_audit()
        self._vault = Vault(engine, loaded().home, lambda: loaded().config.governance.sealing)
        self._ring = SealRing(loaded().home, loaded().config.governance.sealing)
        self._rules = loaded().config.governance.sealing
        #: Opens what is sealed, and seals what is new; kept supplied.
        self.seal = self._ring.seal
        self._reviews = ReviewDesk(engine, loaded().home, lambda: loaded().config.governance.reviews, self.seal)
        #: Where sealing what lies plain has come to; None: through, for now.
        self._contents: str | None = ""
        self._held: str | None = ""
        self._values: str | None = ""
        self._files = 0

    def tend_keys(self) -> None:
        """See that every tenant has a key where content is to be sealed, and that workers have what there is.

        Raises:
            OSError, StartError, sqlalchemy.exc.SQLAlchemyError: it cannot be; sealed content is not kept meanwhile.
        """
        rules = self._loaded().config.governance.sealing
        homes = self._homes() if rules.enabled else None
        if homes is not None:
            tenants = {f"organisation:{home}" for home in homes.values()} | {f"team:{team}" for team in homes if team}
            self._vault.ensure(tenants)
        if rules.enabled or self._vault.rows():
            self._vault.rewrap()
        self._vault.publish(homes)
        if rules is not self._rules:
            self._rules, self._contents, self._values, self._held = rules, "", "", ""
            self._ring.apply(rules)
        self._ring.refresh()

    def run(self, stop: threading.Event) -> None:
        """Go round until ``stop`` is set, and once more for the audit log."""
        while True:
            ending = stop.wait(_ROUND)
            config = self._loaded().config.governance
            self._try("config", 0.0, self._note_config)
            self._try("keys", _TENANTS, self.tend_keys)
            self._try("reviews", 0.0, self._reviews.take_in)
            if config.sealing.enabled and not ending:
                self._try("sealing", 0.0 if self._is_sealing() else _PLAIN, self._seal_plain)
            self._try("retention", config.retention.every, self._remove_due)
            self._try("held", config.retention.every, self._reviews.tend)
            self._try("audit", 0.0 if ending else config.audit.every, self._sign)
            if ending:
                return

    def _try(self, name: str, every: float, work: Callable[[], object]) -> None:
        """Do ``work`` if it is due; a failure is said once, and it is tried again."""
        now = monotonic()
        if every and now < self._due.get(name, 0.0):
            return
        self._due[name] = now + every
        try:
            work()
        except (SQLAlchemyError, OSError, StartError, ValueError, TableLost, SealLost) as error:
            if name not in self._failing:
                _log.error("upkeep fails (%s): %s", name, type(getattr(error, "orig", None) or error).__name__)
            self._failing.add(name)
        else:
            self._failing.discard(name)

    def _note_config(self) -> None:
        """Note in the audit log that another configuration is in force."""
        found = self._loaded().hash
        if found == self._noted:
            return
        with reading(self._engine) as connection:
            last = select_entries(connection, action="config.apply", limit=1)
        if not last or last[0].subject != f"config:{found}":
            with writing(self._engine) as connection:
                record_event(self._engine, connection, "mainstay", "config.apply", f"config:{found}")
        self._noted = found

    def _is_sealing(self) -> bool:
        return bool(self._contents) or bool(self._values) or bool(self._files) or bool(self._held)

    def _seal_plain(self) -> None:
        """Seal a little of what lies plain, or under the installation's key because its tenant had none."""
        loaded = self._loaded()
        common = [row.id for row in self._vault.rows() if not row.tenant]
        _, self._contents = reseal(self._engine, self._ring.seal, ["", *common], self._contents or "", _MOST)
        _, self._held = self._reviews.reseal(["", *common], self._held or "")
        table = open_table(loaded.config.store.url, loaded.home)
        try:
            _, self._values = seal_values(table, self._ring.seal, self._values or "", _MOST)
        finally:
            table.close()
        self._files = seal_files(self._engine, loaded.home, self._ring.seal)

    def _remove_due(self) -> None:
        """Remove what has been kept as long as it may be."""
        loaded = self._loaded()
        rules = loaded.config.governance.retention
        content, records = {}, {}
        for name, route in loaded.config.routes.items():
            own = route.retention
            if own is not None and own.content is not None:
                content[name] = own.content
            if own is not None and own.records is not None:
                records[name] = own.records
        usual = (rules.content, rules.records)
        while any(count >= _MOST for count in expire(self._engine, content, records, usual, _MOST)):
            # Whoever loads records goes first.
            time.sleep(0.01)
        now = time.time()
        if rules.files is not None:
            with writing(self._engine) as connection:
                clip_files(connection, int(now), int(now - rules.files))
        if rules.responses is not None:
            table = open_table(loaded.config.store.url, loaded.home)
            try:
                table.clip(now + rules.responses)
                table.sweep(now, _MOST)
            finally:
                table.close()

    def _sign(self) -> None:
        if self._where() != self._anchor:
            self._audit = self._open_audit()
        self._audit.checkpoint()

    def _open_audit(self) -> AuditLog:
        self._anchor = self._where()
        return AuditLog(self._engine, self._loaded().home, self._anchor)

    def _where(self) -> Path:
        loaded = self._loaded()
        return anchor_path(loaded.home, loaded.config.governance.audit.anchor)
