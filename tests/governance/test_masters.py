import base64
from pathlib import Path

import pytest

from mainstay.core.errors import StartError
from mainstay.governance.config import SealingConfig
from mainstay.governance.masters import LocalMaster, add_master, drop_masters, masters_of, parse_master
from mainstay.governance.null import NullMaster
from mainstay.governance.port import Master
from mainstay.store.sealing import SealLost


@pytest.mark.parametrize("master", [LocalMaster(b"a" * 32), NullMaster()])
def test_every_master_unwraps_what_it_wrapped(master: Master) -> None:
    assert master.unwrap(master.wrap(b"k" * 32, "key 1"), "key 1") == b"k" * 32


def test_a_local_master_unwraps_nothing_else() -> None:
    master = LocalMaster(b"a" * 32)
    wrapped = master.wrap(b"k" * 32, "key 1")
    other = LocalMaster(b"b" * 32)
    for one, about, data in ((other, "key 1", wrapped), (master, "key 2", wrapped), (master, "", b"")):
        with pytest.raises(SealLost):
            one.unwrap(data, about)
    assert b"k" * 32 not in wrapped
    assert master.id != other.id


def test_a_master_key_is_written_in_base64_or_hex() -> None:
    key = bytes(range(32))
    assert parse_master(key.hex()) == parse_master(base64.b64encode(key).decode() + "\n") == key


@pytest.mark.parametrize("text", ["", "short", "x" * 64, base64.b64encode(b"k" * 31).decode()])
def test_what_is_no_master_key_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(StartError, match="32 random bytes"):
        parse_master(text)


def test_the_file_is_made_once_and_gets_a_new_key_at_its_head(tmp_path: Path) -> None:
    rules = SealingConfig()
    (first,) = masters_of(rules, tmp_path)
    assert [one.id for one in masters_of(rules, tmp_path)] == [first.id]
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    add_master(tmp_path)
    second, old = masters_of(rules, tmp_path)
    assert old.id == first.id
    drop_masters(tmp_path)
    assert [one.id for one in masters_of(rules, tmp_path)] == [second.id]


def test_the_configured_key_comes_before_the_old_ones(tmp_path: Path) -> None:
    rules = SealingConfig.model_construct(key=_secret(b"n"), old_keys=(_secret(b"o"),))
    assert [one.id for one in masters_of(rules, tmp_path)] == [LocalMaster(b"n" * 32).id, LocalMaster(b"o" * 32).id]
    assert not (tmp_path / "master.key").exists()


def _secret(letter: bytes) -> object:
    from pydantic import SecretStr

    return SecretStr((letter * 32).hex())
