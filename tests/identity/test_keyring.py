import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from mainstay.core.call import Caller
from mainstay.core.errors import StartError, Unauthenticated
from mainstay.identity import keyring
from mainstay.identity.keyring import KeyRing, Snapshot, SnapshotEntry, open_keyring, snapshot_path
from mainstay.identity.keys import digest, load_pepper, mint_pass
from mainstay.store.files import private_dir, write_atomic

Publish = Callable[..., None]


@pytest.fixture
def publish(home: Path) -> Publish:
    """Return a function that writes a snapshot of keys, each given as its text and the entry's other fields."""
    private_dir(home / "run")

    def write(version: int, **keys: dict[str, object]) -> None:
        pepper = load_pepper(home)
        entries = []
        for key, fields in keys.items():
            plain = {"digest": digest(pepper, key.encode()).hex(), "key": f"key_{key}", "name": key}
            entries.append(SnapshotEntry(**{**plain, **fields}))  # type: ignore[arg-type]  # fields by name
        write_atomic(snapshot_path(home), msgspec.json.encode(Snapshot(version, tuple(entries))))

    return write


def refused(ring: KeyRing, presented: bytes) -> str:
    with pytest.raises(Unauthenticated) as caught:
        ring.find(presented)
    return str(caught.value)


def test_a_known_key_gives_its_caller(home: Path, publish: Publish) -> None:
    publish(1, alice={"team": "web", "routes": ("a", "b")}, bob={})
    ring = open_keyring(home)
    assert ring.find(b"alice") == Caller("key_alice", "alice", "web", frozenset({"a", "b"}))
    assert ring.find(b"bob") == Caller("key_bob", "bob")
    assert len(ring) == 2


def test_unknown_revoked_and_expired_keys_get_one_message(
    home: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(1, alice={}, bob={"expires": 5_000})
    monkeypatch.setattr(time, "time", lambda: 4.999)
    ring = open_keyring(home)
    assert ring.find(b"bob").name == "bob"
    monkeypatch.setattr(time, "time", lambda: 5.0)
    expired = refused(ring, b"bob")
    publish(2, bob={"expires": 5_000})
    ring.refresh()
    assert {expired, refused(ring, b"alice"), refused(ring, b"nobody"), refused(ring, b"")} == {expired}
    assert "bob" not in expired


@pytest.mark.parametrize(
    "presented",
    [
        b"alic",
        b"alicee",
        b"Alice",
        b"alice\n",
        b"alice\0",
        b"' OR '1'='1",
        b"\xff\xfe",
        b"a" * 100_000,
        b"Bearer alice",
    ],
)
def test_only_the_exact_key_opens(home: Path, publish: Publish, presented: bytes) -> None:
    publish(1, alice={})
    refused(open_keyring(home), presented)


def test_keys_that_begin_alike_are_told_apart_also_once_they_have_opened(home: Path, publish: Publish) -> None:
    # As long as a real one, and longer than any part that one might be tempted to remember it by.
    begin = "ms" + "a" * 60
    publish(1, **{f"{begin}1": {"name": "one"}, f"{begin}2": {"name": "two"}})
    ring = open_keyring(home)
    for _ in range(2):
        assert ring.find(f"{begin}1".encode()).name == "one"
        assert ring.find(f"{begin}2".encode()).name == "two"
        for near in (begin, f"{begin}3", f"{begin}11", f"{begin}1 ", begin.upper() + "1"):
            refused(ring, near.encode())


def test_what_is_compared_is_a_keyed_hash_in_constant_time(
    home: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(1, alice={})
    ring = open_keyring(home)
    compared: list[tuple[bytes, bytes]] = []
    compare = keyring.hmac.compare_digest
    monkeypatch.setattr(keyring.hmac, "compare_digest", lambda a, b: compared.append((a, b)) or compare(a, b))
    ring.find(b"alice")
    assert compared == [(digest(load_pepper(home), b"alice"),) * 2]


def test_a_key_that_has_opened_is_known_again_until_the_ring_changes(
    home: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(1, alice={}, bob={})
    ring = open_keyring(home)
    with monkeypatch.context() as patch:
        hashed: list[bytes] = []
        patch.setattr(keyring, "digest", lambda pepper, key: hashed.append(key) or digest(pepper, key))
        assert {ring.find(b"alice").name for _ in range(3)} == {"alice"}
        assert hashed == [b"alice"]
        for guess in range(100):
            refused(ring, b"guess %d" % guess)
        assert len(hashed) == 101
        # What did not open is not kept: guessing fills no memory.
        assert len(ring._opened) == 1
    publish(2, alice={"team": "web"})
    ring.refresh()
    assert ring.find(b"alice").team == "web"
    publish(3, bob={})
    ring.refresh()
    refused(ring, b"alice")


def test_a_refresh_takes_in_changes_and_costs_nothing_otherwise(
    home: Path, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(1, alice={})
    ring = open_keyring(home)
    with monkeypatch.context() as patch:
        patch.setattr(keyring, "_decode", lambda _: pytest.fail("read an unchanged file"))
        assert not ring.refresh()
    publish(2, bob={})
    assert ring.refresh()
    assert ring.version == 2
    refused(ring, b"alice")
    assert ring.find(b"bob").name == "bob"


def test_a_ring_without_a_snapshot_lets_no_one_in_until_there_is_one(home: Path, publish: Publish) -> None:
    ring = open_keyring(home)
    refused(ring, b"alice")
    publish(1, alice={})
    assert ring.refresh()
    assert ring.find(b"alice").name == "alice"


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"version":2,"keys":[{"digest":"zz","key":"k","name":"n"}]}'])
def test_a_damaged_or_missing_snapshot_leaves_the_last_good_ring(home: Path, publish: Publish, damage: bytes) -> None:
    publish(1, alice={})
    ring = open_keyring(home)
    snapshot_path(home).write_bytes(damage)
    assert not ring.refresh()
    assert ring.find(b"alice").name == "alice"
    os.unlink(snapshot_path(home))
    assert not ring.refresh()
    assert ring.find(b"alice").name == "alice"
    publish(3, bob={})
    assert ring.refresh()
    refused(ring, b"alice")


def test_a_secret_that_cannot_be_read_stops_the_start(home: Path) -> None:
    (home / "secret.key").mkdir(parents=True)
    with pytest.raises(StartError):
        open_keyring(home)


def test_a_pass_stands_for_its_key_while_both_are_good(home: Path, publish: Publish) -> None:
    publish(1, alice={"routes": ("a",)}, bob={})
    ring = open_keyring(home)
    pepper, later = load_pepper(home), int(time.time()) + 60
    good = mint_pass(pepper, "key_alice", later)
    assert ring.find(good) == ring.find(b"alice")
    refused(ring, mint_pass(pepper, "key_alice", int(time.time())))
    refused(ring, mint_pass(pepper, "key_carol", later))
    publish(2, bob={})
    assert ring.refresh()
    refused(ring, good)


def test_a_pass_cannot_be_made_or_changed_without_the_secret(home: Path, publish: Publish) -> None:
    publish(1, alice={}, bob={})
    ring = open_keyring(home)
    later = int(time.time()) + 60
    refused(ring, mint_pass(b"x" * 32, "key_alice", later))
    good = mint_pass(load_pepper(home), "key_alice", later)
    for forged in (good.replace(b"alice", b"bob"), good.replace(b"%d" % later, b"%d" % (later + 1)), good[:-1]):
        refused(ring, forged)
    for odd in (b"msp.", b"msp..", b"msp.1.", b"msp.x.y.z", b"msp.\xff.\xff"):
        refused(ring, odd)


def test_a_rotated_keys_pass_is_good_for_as_long_as_the_key(home: Path, publish: Publish) -> None:
    soon = int((time.time() - 1) * 1000)
    publish(1, alice={"key": "key_1"}, old={"key": "key_1", "expires": soon})
    ring = open_keyring(home)
    assert ring.find(mint_pass(load_pepper(home), "key_1", int(time.time()) + 60)).key == "key_1"
