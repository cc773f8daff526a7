"""Data keys in the memory of a worker: read from the snapshot that the control process writes, unwrapped once each.

Loads no database library, and no cryptography while nothing was ever sealed.
"""

import base64
import logging
from pathlib import Path
from typing import Final

import msgspec

from mainstay.core.errors import StartError
from mainstay.governance.config import SealingConfig
from mainstay.governance.masters import masters_of
from mainstay.governance.port import Master
from mainstay.store.sealing import KeyedSeal, SealLost

__all__ = ["HELD", "Held", "SealRing", "Seals", "seals_path"]

#: What a wrapped data key is bound to.
HELD: Final = "data key {}"
_LOOKS = 3
_log = logging.getLogger("mainstay.governance")


class Held(msgspec.Struct, frozen=True):
    """A data key, wrapped by ``master``; base64."""

    id: str
    tenant: str
    master: str
    wrapped: str


class Seals(msgspec.Struct, frozen=True):
    """All data keys, the oldest first; and the organisation of every team."""

    keys: list[Held]
    homes: dict[str, str] = {}


_read = msgspec.json.Decoder(Seals).decode


def seals_path(home: Path) -> Path:
    """Return where the workers find the keys."""
    return home / "run" / "seals.json"


class SealRing:
    """Keeps ``seal`` supplied.

    Args:
        home: the folder Mainstay writes to.
        rules: the settings.
    """

    def __init__(self, home: Path, rules: SealingConfig) -> None:
        self.seal = KeyedSeal()
        self.seal.enabled = rules.enabled
        self._rules = rules
        self._home = home
        self._known: dict[str, bytes] = {}
        self._seen: tuple[object, ...] | None = None

    def apply(self, rules: SealingConfig) -> None:
        """Take other settings. Nothing is written plain meanwhile that is to be sealed."""
        self._rules, self._seen = rules, None
        self.seal.enabled = rules.enabled
        self.refresh()

    def refresh(self) -> None:
        """Take what is new. A ``stat`` when nothing is; a key that cannot be unwrapped is left out, and said."""
        path = seals_path(self._home)
        try:
            found = path.stat()
        except OSError:
            return
        seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        if seen == self._seen:
            return
        try:
            # A rotation may end between reading the keys and reading what unwraps them; the next look sees it whole.
            lost: set[str] = set()
            for _ in range(_LOOKS):
                lost = self._take(_read(path.read_bytes()))
                if not lost:
                    break
            if lost:
                _log.error("keys of sealed content are wrapped by master keys that are not here: %s", ", ".join(lost))
        except (OSError, ValueError, StartError) as error:
            _log.error("keys of sealed content cannot be read: %s", error)
            return
        self._seen = seen

    def _take(self, seals: Seals) -> set[str]:
        """Take these keys; return the masters that were needed and are not here."""
        lost, held = set(), seals.keys
        masters: dict[str, Master] = {}
        known = {one.id: self._known[one.id] for one in held if one.id in self._known}
        for one in held:
            if one.id in known:
                continue
            masters = masters or {master.id: master for master in masters_of(self._rules, self._home)}
            master = masters.get(one.master)
            try:
                if master is None:
                    raise SealLost
                known[one.id] = master.unwrap(base64.b64decode(one.wrapped), HELD.format(one.id))
            except SealLost:
                lost.add(one.master)
        newest = {one.tenant: one.id for one in held if one.id in known}
        self._known = known
        self.seal.take(known, newest, enabled=self._rules.enabled, tenant=self._rules.tenant, homes=seals.homes)
        return lost
