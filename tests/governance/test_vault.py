"""Data keys: made, handed to workers, wrapped anew while they are used, destroyed. With ``kill -9`` in the middle."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mainstay.core.errors import StartError
from mainstay.governance.config import SealingConfig
from mainstay.governance.masters import LocalMaster, add_master, masters_of
from mainstay.governance.ring import SealRing, seals_path
from mainstay.governance.vault import Vault
from mainstay.store.audit import select_entries
from mainstay.store.sealing import KeyedSeal, SealLost
from mainstay.store.sql import reading

RULES = SealingConfig(enabled=True)
DAY = 86_400_000


def make(engine: Engine, home: Path, rules: SealingConfig = RULES) -> Vault:
    return Vault(engine, home, lambda: rules)


def ring_of(home: Path, rules: SealingConfig = RULES) -> KeyedSeal:
    ring = SealRing(home, rules)
    ring.refresh()
    return ring.seal


def test_each_tenant_gets_one_key_and_the_installation_too(engine: Engine, home: Path) -> None:
    vault = make(engine, home)
    assert vault.ensure(["team:a", "team:b"]) == 3
    assert vault.ensure(["team:a", "team:b"]) == 0
    assert [row.tenant for row in vault.rows()] == ["", "team:a", "team:b"]


def test_a_key_that_is_a_month_old_gets_a_successor_and_still_opens(engine: Engine, home: Path) -> None:
    now = 100 * DAY
    vault = Vault(engine, home, lambda: RULES, lambda: now)
    vault.ensure(["team:a"])
    vault.publish()
    sealed = ring_of(home).seal(b"x", "a", "", "a")
    now += 31 * DAY
    assert vault.ensure(["team:a"]) == 2
    vault.publish()
    seal = ring_of(home)
    assert seal.open(sealed, "a") == b"x"
    assert seal.seal(b"x", "a", "", "a")[4:20] != sealed[4:20]


def test_the_snapshot_has_no_key_in_the_open_and_is_written_when_something_changed(engine: Engine, home: Path) -> None:
    vault = make(engine, home)
    assert not vault.publish()
    assert not seals_path(home).exists()
    vault.ensure(["team:a"])
    assert vault.publish()
    assert not vault.publish()
    assert seals_path(home).stat().st_mode & 0o777 == 0o600
    (master,) = masters_of(RULES, home)
    secrets = [master.unwrap(row.wrapped, f"data key {row.id}") for row in vault.rows()]
    assert not any(secret in seals_path(home).read_bytes() for secret in secrets)


def test_rotation_wraps_anew_and_what_was_sealed_still_opens(engine: Engine, home: Path) -> None:
    vault = make(engine, home)
    vault.ensure(["team:a"])
    vault.publish()
    sealed = ring_of(home).seal(b"x", "a", "", "a")
    before = vault.rows()
    assert vault.rotate("uid:0") == 2
    after = vault.rows()
    assert [row.id for row in before] == [row.id for row in after]
    assert {row.master for row in before}.isdisjoint({row.master for row in after})
    assert len(masters_of(RULES, home)) == 1
    assert ring_of(home).open(sealed, "a") == b"x"
    with reading(engine) as connection:
        assert [entry.action for entry in select_entries(connection)] == ["seals.rotate"]


def test_no_read_fails_while_the_master_is_rotated(engine: Engine, home: Path) -> None:
    vault = make(engine, home)
    vault.ensure([f"team:{n}" for n in range(50)])
    vault.publish()
    sealed = {n: ring_of(home).seal(b"%d" % n, "a", "", str(n)) for n in (0, 49)}
    failed: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        lasting = SealRing(home, RULES)
        while not stop.is_set():
            fresh = SealRing(home, RULES)
            for ring in (lasting, fresh):
                ring.refresh()
                try:
                    assert [ring.seal.open(data, "a") for data in sealed.values()] == [b"0", b"49"]
                except (SealLost, AssertionError) as error:
                    failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5):
        vault.rotate("uid:0")
    stop.set()
    reader.join()
    assert not failed


def test_a_configured_master_is_rotated_by_the_configuration(engine: Engine, home: Path) -> None:
    old = _rules(b"o")
    vault = make(engine, home, old)
    vault.ensure(["team:a"])
    vault.publish()
    sealed = ring_of(home, old).seal(b"x", "a", "", "a")
    with pytest.raises(StartError, match="old_keys"):
        vault.rotate("uid:0")
    both = _rules(b"n", b"o")
    assert make(engine, home, both).rewrap() == 2
    make(engine, home, both).publish()
    assert ring_of(home, _rules(b"n")).open(sealed, "a") == b"x"
    assert {row.master for row in vault.rows()} == {LocalMaster(b"n" * 32).id}


def test_a_key_of_a_master_that_nobody_has_is_told_of(engine: Engine, home: Path) -> None:
    make(engine, home, _rules(b"o")).ensure(["team:a"])
    with pytest.raises(StartError, match="not configured"):
        make(engine, home, _rules(b"n")).rewrap()


def test_shredding_a_tenant_leaves_the_others(engine: Engine, home: Path) -> None:
    vault = make(engine, home)
    vault.ensure(["team:a", "team:b"])
    vault.publish()
    ring = SealRing(home, RULES)
    ring.refresh()
    a, b = (ring.seal.seal(b"x", "w", "", team) for team in "ab")
    assert vault.shred("team:a", "uid:0") == 1
    ring.refresh()
    with pytest.raises(SealLost):
        ring.seal.open(a, "w")
    assert ring.seal.open(b, "w") == b"x"
    assert vault.shred("team:a", "uid:0") == 0
    with reading(engine) as connection:
        assert [(e.action, e.subject) for e in select_entries(connection)] == [("seals.shred", "team:a")]


def test_a_shredded_key_is_not_left_in_the_file(engine: Engine, home: Path) -> None:
    vault = make(engine, home)
    vault.ensure(["team:a"])
    wrapped = next(row.wrapped for row in vault.rows() if row.tenant)
    assert any(wrapped in path.read_bytes() for path in home.glob("mainstay.db*"))
    vault.shred("team:a", "uid:0")
    assert not any(wrapped in path.read_bytes() for path in home.glob("mainstay.db*"))


#: Rotates over and over in a process that is killed; says when each round begins.
ROTATING = """
    import sys
    from pathlib import Path
    from mainstay.governance.config import SealingConfig
    from mainstay.governance.vault import Vault
    from mainstay.store.sql import open_engine

    home = Path(sys.argv[1])
    vault = Vault(open_engine(f"sqlite:///{home}/mainstay.db"), home, lambda: SealingConfig(enabled=True))
    while True:
        print("round", flush=True)
        vault.rotate("uid:0")
"""


@pytest.mark.parametrize("milliseconds", [1, 7, 20, 45])
def test_rotation_that_is_killed_loses_no_key_and_is_ended_later(engine: Engine, home: Path, milliseconds: int) -> None:
    vault = make(engine, home)
    vault.ensure([f"team:{n}" for n in range(300)])
    vault.publish()
    sealed = ring_of(home).seal(b"x", "a", "", "7")
    rotating = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(ROTATING), str(home)], stdout=subprocess.PIPE, text=True
    )
    assert rotating.stdout is not None
    rotating.stdout.readline()
    threading.Event().wait(milliseconds / 1000)
    os.kill(rotating.pid, signal.SIGKILL)
    rotating.communicate()
    make(engine, home).publish()
    assert ring_of(home).open(sealed, "a") == b"x"
    make(engine, home).rotate("uid:0")
    assert ring_of(home).open(sealed, "a") == b"x"
    assert len(masters_of(RULES, home)) == 1
    assert len({row.master for row in vault.rows()}) == 1


def test_what_a_killed_rotation_left_is_wrapped_by_whoever_comes_next(engine: Engine, home: Path) -> None:
    vault = make(engine, home)
    vault.ensure(["team:a"])
    add_master(home)
    assert vault.rewrap() == 2
    assert vault.rewrap() == 0


def _rules(letter: bytes, *old: bytes) -> SealingConfig:
    from pydantic import SecretStr

    keys = [SecretStr((one * 32).hex()) for one in (letter, *old)]
    return SealingConfig.model_construct(enabled=True, tenant="team", key=keys[0], old_keys=tuple(keys[1:]))
