import contextlib
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.errors import StartError
from mainstay.store.journal import Journal, has_final, is_final, journal_files, read_chunk


def content(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in journal_files(directory)]


def chunk(path: Path, start: int = 0, want: int = 1024 * 1024) -> tuple[tuple[bytes, ...], int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        found = read_chunk(descriptor, start, path.stat().st_size, want=want)
    finally:
        os.close(descriptor)
    return found.lines, found.end


def final(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return is_final(descriptor)
    finally:
        os.close(descriptor)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def test_lines_are_in_the_file_as_soon_as_append_returns(directory: Path) -> None:
    with contextlib.closing(Journal(directory, 3)) as journal:
        assert journal.append(b'{"a":1}')
        assert journal.append(b'{"b":2}')
        (path,) = journal_files(directory)
        assert path.read_bytes() == b'{"a":1}\n{"b":2}\n'
        assert path.name.startswith("3-")
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_journal_begins_a_new_file_when_one_is_full(directory: Path) -> None:
    with contextlib.closing(Journal(directory, 0, max_bytes=16)) as journal:
        for number in range(5):
            assert journal.append(b"%07d" % number)
        assert b"".join(content(directory)) == b"".join(b"%07d\n" % number for number in range(5))
        assert [len(text) for text in content(directory)] == [16, 16, 8]
        assert [final(path) for path in journal_files(directory)] == [True, True, False]


def test_a_file_is_final_only_when_its_writer_is_gone(directory: Path) -> None:
    journal = Journal(directory, 0)
    (path,) = journal_files(directory)
    assert not final(path)
    journal.close()
    assert final(path)


def test_one_reader_hides_from_none_that_a_file_is_final(directory: Path) -> None:
    journal = Journal(directory, 0)
    (path,) = journal_files(directory)
    assert not has_final(directory)
    journal.close()
    loading = os.open(path, os.O_RDONLY)
    try:
        assert is_final(loading)
        # What is being loaded is not in the books yet: who asks for it must be told to wait.
        assert has_final(directory)
        assert is_final(loading)
    finally:
        os.close(loading)


def test_a_closed_journal_refuses(directory: Path) -> None:
    journal = Journal(directory, 0)
    journal.close()
    journal.close()
    assert journal.append(b"x") is False


def test_a_file_that_a_loader_removes_while_it_is_opened_is_not_used(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    honest = os.open

    def hasty(path: Path, *rest: int) -> int:
        descriptor = honest(path, *rest)
        opened.append(path)
        if len(opened) == 1:
            os.unlink(path)
        return descriptor

    monkeypatch.setattr(os, "open", hasty)
    with contextlib.closing(Journal(directory, 0)) as journal:
        assert journal.append(b"kept")
    assert len(opened) == 2
    assert content(directory) == [b"kept\n"]


def test_a_directory_that_is_none_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")
    with pytest.raises(StartError, match="move it away"):
        Journal(tmp_path / "journal", 0)


@pytest.mark.parametrize("room", range(20, 30))
def test_a_full_disk_tears_at_most_its_own_line(directory: Path, room: int) -> None:
    # A limit on file sizes fails like a full disk: a part is taken, then nothing.
    program = """
        import resource, sys
        from pathlib import Path
        from mainstay.store.journal import Journal
        journal = Journal(Path(sys.argv[1]), 0)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        answers = [journal.append(b"first-line")]
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), hard))
        answers += [journal.append(b"second-line-is-too-long"), journal.append(b"third-line-also-too-long")]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        answers += [journal.append(b"fourth"), journal.append(b"fifth")]
        print(answers)
    """
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(directory), str(room)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[True, False, False, True, True]"
    (path,) = journal_files(directory)
    lines, end = chunk(path)
    assert end == path.stat().st_size
    assert lines[0] == b"first-line"
    assert lines[-2:] == (b"fourth", b"fifth")
    assert all(b"second-line-is-too-long".startswith(torn) for torn in lines[1:-2])


LINES = st.lists(st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"\n", b" ")), max_size=12)


@given(LINES, st.data())
def test_a_crash_at_any_byte_leaves_every_complete_line_readable(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(line + b"\n" for line in lines)
    cut = data.draw(st.integers(0, len(whole)))
    path = tmp_path_factory.mktemp("crash") / "file"
    path.write_bytes(whole[:cut])
    found, end = chunk(path)
    complete = whole[:cut].count(b"\n")
    assert found == tuple(lines[:complete])
    assert end == sum(len(line) + 1 for line in lines[:complete])


@given(LINES, st.integers(1, 64))
def test_reading_in_pieces_of_any_size_finds_each_line_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], want: int
) -> None:
    path = tmp_path_factory.mktemp("pieces") / "file"
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    found: list[bytes] = []
    offset = 0
    while True:
        some, end = chunk(path, offset, want)
        if end == offset:
            break
        found += some
        offset = end
    assert found == lines
    assert offset == path.stat().st_size


def test_files_that_are_no_journals_are_left_alone(directory: Path) -> None:
    directory.mkdir()
    for name in ("rejected.jsonl", "notes.txt", "1-0199.jsonl.bak", ".hidden"):
        (directory / name).write_text("x")
    assert journal_files(directory) == []


def test_a_missing_directory_holds_no_files(directory: Path) -> None:
    assert journal_files(directory) == []


def test_files_come_in_the_order_they_were_begun_whatever_the_worker(directory: Path) -> None:
    for worker in (10, 2, 7):
        Journal(directory, worker).close()
    assert [path.name.partition("-")[0] for path in journal_files(directory)] == ["10", "2", "7"]
