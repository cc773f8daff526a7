import os
import socket
from pathlib import Path

import pytest

from mainstay.core.errors import StartError
from mainstay.runtime.local import listen_local, reach_local


def ask(path: Path, listener: socket.socket) -> socket.socket:
    """Connect to ``path`` and return what the listener accepts."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(reach_local(path))
        listener.setblocking(True)
        accepted, _ = listener.accept()
    return accepted


def test_only_the_owner_reaches_the_socket(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with listen_local(path) as listener, ask(path, listener):
        assert path.stat().st_mode & 0o777 == 0o600
        assert [entry.name for entry in tmp_path.iterdir()] == ["s.sock"]


def test_a_successor_takes_over_and_the_one_before_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with listen_local(path) as first, ask(path, first) as kept, listen_local(path) as second, ask(path, second):
        first.setblocking(False)
        with pytest.raises(BlockingIOError):
            first.accept()
        assert kept.fileno() > 0


def test_a_file_that_a_dead_process_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    listen_local(path).close()
    (tmp_path / f".s.sock.{os.getpid()}").touch()
    with listen_local(path) as listener, ask(path, listener):
        pass


def test_a_path_longer_than_an_address_may_be_is_reached(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100)
    folder.mkdir()
    path = folder / "s.sock"
    with listen_local(path) as listener, ask(path, listener):
        assert len(str(path)) > 108


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="Cannot make the socket"):
        listen_local(tmp_path / "nowhere" / "s.sock")
    with pytest.raises(StartError, match="Cannot open"):
        reach_local(tmp_path / ("y" * 100) / "s.sock")
