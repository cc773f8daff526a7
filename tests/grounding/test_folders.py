"""Folders are listed whole and in order; nothing that leads out of them is followed, when listing or when reading."""

import os
from pathlib import Path

import pytest

from mainstay.core.errors import InvalidRequest, Unreadable
from mainstay.grounding.folders import is_excluded, list_files, matches, read_file


def build(root: Path, *paths: str) -> Path:
    for path in paths:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    return root


def listed(root: Path, **options: object) -> list[str]:
    return [file.path for file in list_files(str(root), **options).files]  # type: ignore[arg-type]  # as the tests say


def test_files_are_listed_in_order_without_hidden_ones_and_without_files_of_fields(tmp_path: Path) -> None:
    build(tmp_path, "b.md", "a/z.md", "a/b/c.md", ".hidden", ".git/config", "a/.secret/x.md", "b.md.meta.yaml")
    found = list_files(str(tmp_path))
    assert [file.path for file in found.files] == ["a/b/c.md", "a/z.md", "b.md"]
    assert [file.sidecar for file in found.files] == [False, False, True]
    assert found.complete
    assert not found.problems
    assert found.files[2].size == 4
    assert listed(tmp_path, hidden=True) == [".hidden", "a/.secret/x.md", "a/b/c.md", "a/z.md", "b.md"]


@pytest.mark.parametrize(
    ("path", "glob", "is_named"),
    [
        ("a/b.md", "*.md", True),
        ("a/b.md", "a/*.md", True),
        ("a/c/b.md", "a/*.md", False),
        ("a/c/b.md", "a/**/*.md", True),
        ("a/b.md", "a/**/*.md", True),
        ("a/c/b.md", "a/", True),
        ("a/c/b.md", "a/c", True),
        ("ab/c.md", "a", False),
        ("a/b.md", "./a/b.md", True),
        ("a/b1.md", "b[0-9].md", True),
        ("a/bx.md", "b[!0-9].md", True),
        ("a/b.md", "?.md", True),
        ("a/b[.md", "b[.md", True),
        ("a\nb.md", "*.md", True),
    ],
)
def test_globs_name_files_and_folders(path: str, glob: str, is_named: bool) -> None:
    assert matches(path, glob) is is_named


def test_what_is_included_and_what_is_excluded(tmp_path: Path) -> None:
    build(tmp_path, "a.md", "b.txt", "drafts/c.md", "old/deep/d.md")
    assert listed(tmp_path, include=["*.md"], exclude=["drafts", "old/**"]) == ["a.md"]
    assert listed(tmp_path, include=["old/**", "b.*"]) == ["b.txt", "old/deep/d.md"]


def test_ignore_files_leave_out_what_they_name_and_take_back_what_they_say(tmp_path: Path) -> None:
    build(tmp_path, "a.log", "keep.log", "build/x.md", "sub/build/y.md", "sub/a.tmp", "sub/b.md", "top.md")
    (tmp_path / ".gitignore").write_text("# comment\n*.log\n!keep.log\n/build/\n")
    (tmp_path / "sub" / ".gitignore").write_text("*.tmp\n")
    assert listed(tmp_path, ignore=True) == ["keep.log", "sub/b.md", "sub/build/y.md", "top.md"]
    assert "a.log" in listed(tmp_path)
    assert not is_excluded("build", [("", "build/")], folder=False)


def test_links_are_never_followed_and_those_that_lead_out_are_told(tmp_path: Path) -> None:
    outside = build(tmp_path / "outside", "secret.txt")
    root = build(tmp_path / "root", "a.md", "sub/b.md")
    (root / "out").symlink_to(outside)
    (root / "secret.txt").symlink_to(outside / "secret.txt")
    (root / "again").symlink_to(root / "sub")
    (root / "loop").symlink_to(root)
    (root / "broken").symlink_to(root / "nowhere")
    found = list_files(str(root))
    assert [file.path for file in found.files] == ["a.md", "sub/b.md"]
    assert {path for path, _ in found.problems} == {"out", "secret.txt"}
    assert all("leads out of the folder" in reason for _, reason in found.problems)
    for path in ("secret.txt", "out/secret.txt", "../outside/secret.txt", "again/b.md", "sub"):
        with pytest.raises(Unreadable):
            # A path with ".." is never listed; it is asked for here as if it had been.
            read_file(str(root), path, 100)


def test_the_root_itself_may_be_reached_by_a_link(tmp_path: Path) -> None:
    root = build(tmp_path / "root", "a.md")
    (tmp_path / "link").symlink_to(root)
    assert listed(tmp_path / "link") == ["a.md"]
    assert read_file(str(tmp_path / "link"), "a.md", 100)[0] == b"a.md"


def test_a_file_is_read_up_to_its_limit_and_never_in_part(tmp_path: Path) -> None:
    build(tmp_path, "a.md")
    data, changed = read_file(str(tmp_path), "a.md", 4)
    assert data == b"a.md"
    assert changed == (tmp_path / "a.md").stat().st_mtime_ns // 1_000_000
    with pytest.raises(Unreadable, match="more than the 3 bytes"):
        read_file(str(tmp_path), "a.md", 3)


def test_a_pipe_neither_counts_nor_keeps_anybody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert listed(tmp_path) == []
    with pytest.raises(Unreadable, match="is no file"):
        read_file(str(tmp_path), "pipe", 100)


def test_a_name_that_is_no_text_is_told(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.md", "wb") as file:
        file.write(b"x")
    found = list_files(str(tmp_path))
    assert found.files == []
    assert [reason for _, reason in found.problems] == ["has a name that is no text; rename it"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="no such folder"):
        list_files(str(tmp_path / "nowhere"))
