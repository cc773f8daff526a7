import io
from pathlib import Path
from uuid import uuid4

import pytest

from mainstay.store.sealed_file import is_sealed_file, open_file, plain_size, seal_file, sealed_pieces, write_file
from mainstay.store.sealing import KeyedSeal, NullSeal, SealLost

PIECE = 64 * 1024


def keyed() -> KeyedSeal:
    name, seal = str(uuid4()), KeyedSeal()
    seal.take({name: b"k" * 32}, {"": name}, enabled=True, tenant="team")
    return seal


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 7])
def test_a_file_of_any_length_opens_as_it_was(tmp_path: Path, size: int) -> None:
    seal, data = keyed(), bytes(n % 251 for n in range(size))
    path = tmp_path / "file-1"
    write_file(path, data, "file-1", seal, "shop")
    with open_file(path, "file-1", seal) as file:
        assert file.read() == data
    assert plain_size(path) == size
    assert is_sealed_file(path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_lines_are_read_across_pieces(tmp_path: Path) -> None:
    seal, lines = keyed(), [b"%d %s\n" % (n, b"x" * 1000) for n in range(300)]
    write_file(tmp_path / "f", b"".join(lines), "f", seal, "")
    with open_file(tmp_path / "f", "f", seal) as file:
        assert list(file) == lines


def test_a_plain_file_is_read_as_it_is_and_sealed_in_its_place(tmp_path: Path) -> None:
    seal, path = keyed(), tmp_path / "f"
    write_file(path, b"plain", "f", NullSeal(), "")
    assert path.read_bytes() == b"plain"
    assert (plain_size(path), is_sealed_file(path)) == (5, False)
    with open_file(path, "f", seal) as before:
        seal_file(path, path, "f", seal, "shop")
        assert before.read() == b"plain"
    with open_file(path, "f", seal) as file:
        assert file.read() == b"plain"
    assert b"plain" not in path.read_bytes()
    assert [one.name for one in tmp_path.iterdir()] == ["f"]


def pieces(data: bytes, seal: KeyedSeal, name: str = "f") -> list[bytes]:
    return list(sealed_pieces(io.BytesIO(data), name, seal, ""))


@pytest.mark.parametrize("change", ["cut", "drop", "swap", "torn", "other"])
def test_a_file_that_was_changed_does_not_open(tmp_path: Path, change: str) -> None:
    seal = keyed()
    parts = pieces(b"a" * PIECE + b"b" * PIECE + b"c", seal)
    if change == "cut":
        parts = parts[:-1]
    elif change == "drop":
        del parts[1]
    elif change == "swap":
        parts[1], parts[2] = parts[2], parts[1]
    elif change == "torn":
        parts[-1] = parts[-1][:-3]
    else:
        parts = pieces(b"a", seal, "another")
    (tmp_path / "f").write_bytes(b"".join(parts))
    with open_file(tmp_path / "f", "f", seal) as file, pytest.raises(SealLost):
        file.read()


def test_without_a_key_nothing_is_written(tmp_path: Path) -> None:
    seal = KeyedSeal()
    seal.enabled = True
    with pytest.raises(SealLost):
        write_file(tmp_path / "f", b"x", "f", seal, "")
    (tmp_path / "g").write_bytes(b"plain")
    with pytest.raises(SealLost):
        seal_file(tmp_path / "g", tmp_path / "g", "g", seal, "")
    assert [one.name for one in tmp_path.iterdir()] == ["g"]
    assert (tmp_path / "g").read_bytes() == b"plain"
