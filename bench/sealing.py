"""``python -m bench.sealing``: what sealing content costs, and how fast a new master key is in force.

Seals and opens contents of 2 KB as a worker does; wraps many data keys anew in a real SQLite file while a reader opens
what they seal, and counts reads that failed.
"""

import argparse
import secrets
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple
from uuid import uuid4

from bench.text import table
from mainstay.governance import store
from mainstay.governance.config import SealingConfig
from mainstay.governance.masters import add_master, drop_masters, masters_of
from mainstay.governance.ring import HELD, SealRing
from mainstay.governance.store import DataKeyRow
from mainstay.governance.vault import Vault
from mainstay.store.sealing import KeyedSeal, SealLost
from mainstay.store.sql import migrate, open_engine, writing

__all__ = ["Rotation", "main", "measure_rotation", "measure_sealing"]

_WORDS = "What a person said. " * 100
#: Data keys wrapped anew a second, at least.
_REWRAPPED = 50_000.0


class Rotation(NamedTuple):
    """Data keys wrapped anew a second; reads while that went on, and how many of them failed."""

    speed: float
    reads: int
    failed: int


def measure_sealing(count: int) -> tuple[float, float]:
    """Return the microseconds to seal and to open a text of 2 KB."""
    name, seal = str(uuid4()), KeyedSeal()
    seal.take({name: secrets.token_bytes(32)}, {"": name}, enabled=True, tenant="team")
    start = perf_counter()
    sealed = [seal.seal_text(_WORDS, "record 1 request", "", "shop") for _ in range(count)]
    middle = perf_counter()
    for one in sealed:
        seal.open_text(one, "record 1 request")
    return (middle - start) / count * 1e6, (perf_counter() - middle) / count * 1e6


def measure_rotation(home: Path, keys: int) -> Rotation:
    """Rotate the master of ``keys`` data keys while somebody reads."""
    engine = open_engine(f"sqlite:///{home}/mainstay.db")
    migrate(engine)
    rules = SealingConfig(enabled=True)
    vault = Vault(engine, home, lambda: rules)
    vault.ensure(["team:0"])
    (master,) = masters_of(rules, home)
    with writing(engine) as connection:
        for number in range(1, keys):
            name = str(uuid4())
            wrapped = master.wrap(secrets.token_bytes(32), HELD.format(name))
            store.add_data_key(engine, connection, DataKeyRow(name, f"team:{number}", master.id, wrapped, number))
    vault.publish()
    ring = SealRing(home, rules)
    ring.refresh()
    sealed = ring.seal.seal_text(_WORDS, "record 1", "", "0")
    stop, counts = threading.Event(), [0, 0]

    def read() -> None:
        while not stop.is_set():
            ring.refresh()
            try:
                ring.seal.open_text(sealed, "record 1")
            except SealLost:
                counts[1] += 1
            counts[0] += 1
            stop.wait(0.001)

    reader = threading.Thread(target=read)
    reader.start()
    add_master(home)
    start = perf_counter()
    done = vault.rewrap()
    seconds = perf_counter() - start
    vault.publish()
    drop_masters(home)
    stop.set()
    reader.join()
    engine.dispose()
    return Rotation(done / seconds, counts[0], counts[1])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was found; return 0 if every promise is kept."""
    parser = argparse.ArgumentParser(prog="python -m bench.sealing", description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000, help="data keys to wrap anew (100,000)")
    parser.add_argument("--texts", type=int, default=20_000, help="texts to seal and open (20,000)")
    given = parser.parse_args(arguments)
    sealing, opening = measure_sealing(given.texts)
    with tempfile.TemporaryDirectory() as folder:
        rotation = measure_rotation(Path(folder) / "var", given.keys)
    rows = [
        ["", "measured", "promised"],
        ["sealing 2 KB", f"{sealing:.1f} µs", ""],
        ["opening 2 KB", f"{opening:.1f} µs", ""],
        ["data keys wrapped anew", f"{rotation.speed:,.0f}/s", f"at least {_REWRAPPED:,.0f}/s"],
        ["failed reads meanwhile", f"{rotation.failed} of {rotation.reads}", "none"],
    ]
    print(table(rows))
    return 0 if rotation.speed >= _REWRAPPED and not rotation.failed else 1


if __name__ == "__main__":
    sys.exit(main())
