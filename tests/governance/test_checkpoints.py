import os
from pathlib import Path

import pytest

from mainstay.core.audit import GENESIS
from mainstay.core.errors import StartError
from mainstay.governance.checkpoints import Signer, append_anchor, key_id, read_anchor, signed_by


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first, second = Signer(tmp_path), Signer(tmp_path)
    assert first.public == second.public
    assert (tmp_path / "audit.key").stat().st_mode & 0o777 == 0o600
    assert first.key == key_id(first.public)


def test_a_damaged_key_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "audit.key").write_bytes(b"short")
    with pytest.raises(StartError, match="damaged"):
        Signer(tmp_path)


def test_a_signature_is_good_for_its_bytes_and_its_key_only(tmp_path: Path) -> None:
    signer = Signer(tmp_path / "a")
    signature = signer.sign(b"this")
    assert signed_by(signer.public, b"this", signature)
    assert not signed_by(signer.public, b"that", signature)
    assert not signed_by(Signer(tmp_path / "b").public, b"this", signature)
    assert not signed_by(b"no key", b"this", signature)


def test_an_anchor_gives_back_its_checkpoints_and_counts_what_is_none(tmp_path: Path) -> None:
    signer = Signer(tmp_path)
    path = tmp_path / "elsewhere" / "anchor.jsonl"
    first = signer.checkpoint(1, 2, b"\1" * 32, GENESIS)
    second = signer.checkpoint(2, 3, b"\2" * 32, first.hash())
    append_anchor(path, first)
    with open(path, "ab") as file:
        file.write(b'{"size":2,"torn')
    append_anchor(path, second)
    assert path.stat().st_mode & 0o777 == 0o600
    with open(path, "rb") as file:
        assert read_anchor(file) == ([first, second], 1)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_anchor_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="denied"):
        append_anchor(tmp_path / "anchor.jsonl", Signer(tmp_path).checkpoint(1, 2, b"", GENESIS))
