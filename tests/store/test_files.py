import os
import stat
import threading
from pathlib import Path

import pytest

from mainstay.core.errors import StartError
from mainstay.store.files import create_once, private_dir, write_atomic


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    assert mode(private_dir(tmp_path / "var")) == 0o700


def test_a_private_directory_may_exist(tmp_path: Path) -> None:
    assert private_dir(tmp_path) == tmp_path


def test_a_file_in_the_place_of_the_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises(StartError, match="file where a directory is needed"):
        private_dir(tmp_path / "var")


def test_a_directory_that_cannot_be_made_says_what_to_do() -> None:
    with pytest.raises(StartError, match="MAINSTAY_HOME"):
        private_dir(Path("/proc/mainstay/var"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_without_write_permission_says_what_to_do(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StartError, match="No permission to write"):
        private_dir(tmp_path)


def test_an_atomic_write_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomic(path, b"a much longer first content")
    write_atomic(path, b"second")
    assert path.read_bytes() == b"second"
    assert mode(path) == 0o600
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_atomic_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError):
        write_atomic(tmp_path / "file", b"x")
    assert os.listdir(tmp_path) == ["file"]


def test_of_several_that_create_a_file_at_once_one_wins_and_all_see_its_content(tmp_path: Path) -> None:
    path, barrier, seen = tmp_path / "var" / "secret", threading.Barrier(8), []

    def create(number: int) -> None:
        barrier.wait()
        seen.append(create_once(path, b"%d" % number))

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert set(seen) == {path.read_bytes()}
    assert mode(path) == 0o600
    assert os.listdir(path.parent) == ["secret"]


def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="Cannot read"):
        create_once(tmp_path, b"x")
