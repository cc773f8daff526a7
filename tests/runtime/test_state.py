"""What lies under run/: the lock, the state, private directories."""

import os
import stat

import pytest

from mainstay.core.errors import StartError
from mainstay.runtime.state import Lock, has_begun, is_running, make_private, read_state, write_private, write_state


def test_a_lock_keeps_a_second_server_out_until_it_is_released(tmp_path) -> None:
    assert not is_running(tmp_path)
    lock = Lock(tmp_path)
    assert is_running(tmp_path)
    with pytest.raises(StartError, match=rf"Another Mainstay \(pid {os.getpid()}\) already runs on {tmp_path.parent}"):
        Lock(tmp_path)
    lock.release()
    assert not is_running(tmp_path)
    Lock(tmp_path).release()


def test_a_server_has_begun_only_while_it_runs_and_once_all_was_up(tmp_path) -> None:
    write_state(tmp_path, {"pid": os.getpid(), "begun": True})
    assert not has_begun(tmp_path)
    lock = Lock(tmp_path)
    assert has_begun(tmp_path)
    write_state(tmp_path, {"pid": os.getpid(), "begun": False})
    assert not has_begun(tmp_path)
    # What another one left there says nothing of this one.
    write_state(tmp_path, {"pid": 1, "begun": True})
    assert not has_begun(tmp_path)
    lock.release()


def test_the_state_is_read_as_it_was_written_by_its_owner_only(tmp_path) -> None:
    write_state(tmp_path, {"ready": True})
    assert read_state(tmp_path) == {"ready": True}
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_state_that_cannot_be_read_is_none(tmp_path, content) -> None:
    assert read_state(tmp_path) is None
    (tmp_path / "state.json").write_bytes(content)
    assert read_state(tmp_path) is None


def test_a_file_is_replaced_whole(tmp_path) -> None:
    write_private(tmp_path / "a", b"one" * 100)
    write_private(tmp_path / "a", b"two")
    assert (tmp_path / "a").read_bytes() == b"two"


def test_a_directory_is_made_private_or_refused(tmp_path) -> None:
    make_private(tmp_path / "new")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"Cannot write to .*file; give this user write permission"):
        make_private(tmp_path / "file")
