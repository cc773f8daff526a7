import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine

from mainstay.core.errors import InvalidRequest, NotFound, StartError, Unauthenticated
from mainstay.identity import service
from mainstay.identity.keyring import KeyRing, open_keyring, snapshot_path
from mainstay.identity.keys import new_key
from mainstay.identity.service import Keys, key_names

DAY = 86_400_000

#: A worker's part: look at the snapshot's stat now and then, and say whether the key opens.
WORKER = """
    import sys, time
    from pathlib import Path
    from mainstay.core.errors import Unauthenticated
    from mainstay.identity.keyring import open_keyring
    ring, before = open_keyring(Path(sys.argv[1])), None
    while True:
        ring.refresh()
        try:
            now = ring.find(sys.argv[2].encode()).name
        except Unauthenticated:
            now = "refused"
        if now != before:
            print(now, flush=True)
        before = now
        time.sleep(0.05)
"""


@pytest.fixture
def keys(engine: Engine, home: Path) -> Keys:
    return Keys(engine, home)


@pytest.fixture
def ring(keys: Keys, home: Path) -> KeyRing:
    return open_keyring(home)


def opens(ring: KeyRing, key: str) -> bool:
    ring.refresh()
    try:
        ring.find(key.encode())
    except Unauthenticated:
        return False
    return True


def test_a_new_key_opens_at_once(keys: Keys, ring: KeyRing) -> None:
    minted = keys.create("alice", team="web", routes=("a", "b"))
    assert opens(ring, minted.key)
    caller = ring.find(minted.key.encode())
    assert (caller.key, caller.name, caller.team) == (minted.row.id, "alice", "web")
    assert caller.routes == frozenset({"a", "b"})


def test_no_file_holds_the_key_nor_an_unkeyed_hash_of_it(keys: Keys, home: Path) -> None:
    import hashlib

    key = keys.create("alice").key.encode()
    everything = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    plain = hashlib.sha256(key)
    for trace in (key, key[3:], plain.digest(), plain.hexdigest().encode()):
        assert trace not in everything


def test_everything_written_is_for_its_owner_only(keys: Keys, home: Path) -> None:
    keys.create("alice")
    files = ("secret.key", "mainstay.db", "mainstay.db-wal", "mainstay.db-shm", "keys.json", "keys.lock")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (*home.rglob("*"), home)}
    assert modes == {**dict.fromkeys(files, 0o600), "run": 0o700, home.name: 0o700}


def test_a_living_name_is_taken(keys: Keys) -> None:
    keys.create("alice")
    with pytest.raises(InvalidRequest, match="'alice' exists") as caught:
        keys.create("alice")
    assert caught.value.code == "key_exists"
    assert len(keys.list()) == 1


def test_the_name_of_a_revoked_or_expired_key_is_free(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.create("alice")
    keys.revoke("alice")
    keys.create("alice", lasts=10)
    later = service.wall_ms() + 10_001
    monkeypatch.setattr(service, "wall_ms", lambda: later)
    third = keys.create("alice")
    assert keys.list() == [third.row]
    assert len(keys.list(revoked=True)) == 3


def test_a_revoked_key_opens_no_more_and_can_be_revoked_again(keys: Keys, ring: KeyRing) -> None:
    alice, bob = keys.create("alice"), keys.create("bob")
    first = keys.revoke("alice")
    assert not opens(ring, alice.key)
    assert opens(ring, bob.key)
    assert keys.revoke(alice.row.id) == first
    assert keys.revoke("alice") == first


def test_a_key_is_revoked_by_its_id_even_when_its_name_was_given_anew(keys: Keys, ring: KeyRing) -> None:
    old = keys.create("alice")
    keys.revoke("alice")
    new = keys.create("alice")
    keys.revoke(old.row.id)
    assert opens(ring, new.key)
    keys.revoke("alice")
    assert not opens(ring, new.key)


def test_an_unknown_name_is_not_found(keys: Keys) -> None:
    with pytest.raises(NotFound, match="keys list"):
        keys.revoke("nobody")
    with pytest.raises(NotFound):
        keys.rotate("nobody")


def test_a_rotation_keeps_the_id_and_ends_the_old_key(keys: Keys, ring: KeyRing) -> None:
    old = keys.create("alice", team="web", routes=("a",), budget="20/month")
    new = keys.rotate("alice")
    assert new.key != old.key
    assert (new.row.id, new.row.team, new.row.routes, new.row.budget) == (old.row.id, "web", ("a",), "20/month")
    assert not opens(ring, old.key)
    assert opens(ring, new.key)


def test_an_old_key_lives_through_its_grace_and_no_longer(
    keys: Keys, ring: KeyRing, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = keys.create("alice")
    new = keys.rotate("alice", grace=60)
    assert opens(ring, old.key)
    assert opens(ring, new.key)
    later = time.time() + 61
    monkeypatch.setattr(time, "time", lambda: later)
    assert not opens(ring, old.key)
    assert opens(ring, new.key)


def test_revoking_ends_the_old_key_in_its_grace_too(keys: Keys, ring: KeyRing) -> None:
    old = keys.create("alice")
    new = keys.rotate("alice", grace=3600)
    keys.revoke("alice")
    assert not opens(ring, old.key)
    assert not opens(ring, new.key)


def test_a_grace_does_not_outlive_the_key(keys: Keys, ring: KeyRing, monkeypatch: pytest.MonkeyPatch) -> None:
    old = keys.create("alice", lasts=10)
    new = keys.rotate("alice", grace=3600)
    later = time.time() + 11
    monkeypatch.setattr(time, "time", lambda: later)
    assert not opens(ring, old.key)
    assert not opens(ring, new.key)


def test_a_dead_key_is_not_rotated(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.create("alice")
    keys.revoke("alice")
    keys.create("bob", lasts=1)
    later = service.wall_ms() + 1001
    monkeypatch.setattr(service, "wall_ms", lambda: later)
    for name in ("alice", "bob"):
        with pytest.raises(InvalidRequest, match="create a new one"):
            keys.rotate(name)


def test_an_expiry_is_stored_in_milliseconds_and_cannot_overflow(keys: Keys) -> None:
    row = keys.create("alice", lasts=90 * 86_400.0).row
    assert row.expires_at == row.created_at + 90 * DAY
    assert keys.create("bob", lasts=1e300).row.expires_at is not None


@pytest.mark.parametrize("limit", [{"rpm": 0}, {"tpm": -1}, {"budget": "lots"}, {"key": "ms-example"}])
def test_a_limit_that_makes_no_sense_is_refused_and_nothing_is_made(keys: Keys, limit: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        keys.create("alice", **limit)  # type: ignore[arg-type]  # the wrong values are the case
    assert keys.list() == []


def test_a_key_from_elsewhere_opens_and_opens_only_once(keys: Keys, ring: KeyRing) -> None:
    mine = new_key().replace("ms-", "sk-")
    keys.create("alice", key=mine)
    assert opens(ring, mine)
    with pytest.raises(InvalidRequest, match="in use already"):
        keys.create("bob", key=mine)


def test_whether_anyone_could_call_is_known(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not keys.any_alive()
    keys.create("alice", lasts=1)
    assert keys.any_alive()
    later = service.wall_ms() + 1001
    monkeypatch.setattr(service, "wall_ms", lambda: later)
    assert not keys.any_alive()


def test_names_are_known_by_id_for_revoked_keys_too(keys: Keys, engine: Engine) -> None:
    alice, bob = keys.create("alice").row.id, keys.create("bob").row.id
    keys.revoke("bob")
    assert key_names(engine) == {alice: "alice", bob: "bob"}


def test_another_secret_than_the_keys_were_made_with_is_refused(keys: Keys, engine: Engine, home: Path) -> None:
    keys.create("alice")
    (home / "secret.key").write_bytes(os.urandom(32))
    with pytest.raises(StartError, match="restore the file from a backup"):
        Keys(engine, home)


def test_a_snapshot_is_written_when_needed_and_only_then(keys: Keys, engine: Engine, home: Path) -> None:
    assert keys.publish()
    assert not keys.publish()
    other = Keys(engine, home)
    other.create("alice")
    assert not keys.publish(), "the other has published it"
    path = snapshot_path(home)
    path.unlink()
    assert keys.publish()
    path.write_bytes(b"damaged")
    assert keys.publish()
    assert len(open_keyring(home)) == 1


def test_changes_made_without_a_snapshot_are_published_by_the_loop(
    keys: Keys, engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring, stop = open_keyring(home), threading.Event()
    thread = threading.Thread(target=keys.run, args=(stop,), kwargs={"interval": 0.005})
    thread.start()
    far_away = Keys(engine, home)
    monkeypatch.setattr(far_away, "publish", lambda: False)  # as if on another machine
    key = far_away.create("alice").key
    limit = time.monotonic() + 10
    while not opens(ring, key) and time.monotonic() < limit:
        pass
    far_away.revoke("alice")
    while opens(ring, key) and time.monotonic() < limit:
        pass
    stop.set()
    thread.join()
    assert not opens(ring, key)
    assert time.monotonic() < limit


def test_the_loop_outlives_a_failure(keys: Keys, home: Path, caplog: pytest.LogCaptureFixture) -> None:
    stop, calls = threading.Event(), [0]

    def flaky() -> bool:
        calls[0] += 1
        if calls[0] == 4:
            stop.set()
        if calls[0] in (1, 2):
            raise OSError
        return True

    keys.publish = flaky  # type: ignore[method-assign]  # one instance, for this test
    keys.run(stop, interval=0.001)
    assert calls[0] == 4
    assert len([record for record in caplog.records if "do not reach" in record.message]) == 1


def test_a_key_revoked_in_one_process_is_refused_by_running_workers(keys: Keys, home: Path) -> None:
    key = keys.create("alice").key
    program = [sys.executable, "-c", textwrap.dedent(WORKER), str(home), key]
    workers = [subprocess.Popen(program, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "alice\n"
        keys.revoke("alice")
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "refused\n"
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            assert worker.stdout is not None
            worker.stdout.close()
