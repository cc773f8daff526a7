"""What lies in a folder: files by their path within it, in order. What leads out of it is refused, and told.

Links are never followed, neither when listing nor when reading: a file is opened step by step from its root.
"""

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from mainstay.core.errors import InvalidRequest, Unreadable

__all__ = ["SIDECAR", "File", "Found", "is_excluded", "list_files", "matches", "read_file", "too_large"]

#: What a file of fields is called: the name of the file that it is about, and this.
SIDECAR: Final = ".meta.yaml"
_IGNORE: Final = ".gitignore"
#: Folders that nobody means.
_NEVER: Final = frozenset({".git", ".hg", ".svn", "__pycache__", "node_modules"})
_MOST: Final = 1_000_000
_DEPTH: Final = 64


@dataclass(frozen=True, slots=True)
class File:
    """A file: its path within the root, with slashes; its size in bytes, and when it was changed, wall-clock ms."""

    path: str
    size: int
    changed: int
    #: Whether a file of fields stands beside it.
    sidecar: bool = False


@dataclass(slots=True)
class Found:
    """What was found: files in order, paths that are left out with the reason, and whether that is all there is."""

    files: list[File] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    complete: bool = True


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    """Return a glob as an expression for paths: ``*`` and ``?`` stay within a name, ``**`` crosses folders."""
    pieces, at = [], 0
    while at < len(glob):
        if glob.startswith("**/", at):
            pieces.append("(?:[^/]+/)*")
            at += 3
        elif glob.startswith("**", at):
            pieces.append(".*")
            at += 2
        elif glob[at] == "*":
            pieces.append("[^/]*")
            at += 1
        elif glob[at] == "?":
            pieces.append("[^/]")
            at += 1
        elif glob[at] == "[" and (end := glob.find("]", at + 2)) > 0:
            inner = glob[at + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            pieces.append(f"[{'^' + inner[1:] if inner[0] in '!^' else inner}]")
            at = end + 1
        else:
            pieces.append(re.escape(glob[at]))
            at += 1
    try:
        return re.compile("".join(pieces), re.DOTALL)
    except re.error:
        return re.compile(re.escape(glob))


def matches(path: str, glob: str) -> bool:
    """Return whether a glob names ``path``, or a folder that it lies in. One without a slash names any part of it."""
    glob = glob.removeprefix("./").rstrip("/")
    parts = path.split("/")
    if "/" not in glob:
        return any(_pattern(glob).fullmatch(part) for part in parts)
    glob = glob.removeprefix("/")
    return any(_pattern(glob).fullmatch("/".join(parts[:depth])) for depth in range(1, len(parts) + 1))


def is_excluded(path: str, rules: Sequence[tuple[str, str]], *, folder: bool) -> bool:
    """Return whether lines of ignore files leave out a path: the last that names it decides, ``!`` takes it back.

    Args:
        path: the path within the root.
        rules: (the folder that the file with the line lies in, "" or ending with a slash; the line).
        folder: whether it is a folder.
    """
    out = False
    for base, line in rules:
        if not path.startswith(base):
            continue
        back = line.startswith("!")
        glob = line[1:] if back else line
        if glob.endswith("/") and not folder:
            continue
        glob = glob.rstrip("/")
        here = path[len(base) :]
        if "/" in glob:
            named = _pattern(glob.lstrip("/")).fullmatch(here) is not None
        else:
            named = _pattern(glob).fullmatch(here.rsplit("/", 1)[-1]) is not None
        if named:
            out = not back
    return out


def list_files(
    root: str,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    *,
    hidden: bool = False,
    ignore: bool = False,
) -> Found:
    """Return the files in a folder.

    Args:
        root: its path; it may itself be reached by a link.
        include: globs of files, all by default.
        exclude: globs of files and folders.
        hidden: whether names that begin with a dot count.
        ignore: whether what ``.gitignore`` files name is left out.

    Raises:
        InvalidRequest: there is no such folder, or it cannot be read.
    """
    root = os.path.realpath(root)
    if not os.path.isdir(root):
        raise InvalidRequest("There is no such folder; correct 'path' of the source.", param="path")
    found = Found()
    for path, entry, beside in _walk(
        root, "", [], found, hidden=hidden, ignore=ignore, exclude=tuple(exclude), depth=0
    ):
        if path.endswith(SIDECAR):
            continue
        if include and not any(matches(path, glob) for glob in include):
            continue
        if len(found.files) == _MOST:
            raise InvalidRequest(f"The folder has more than {_MOST} files; name fewer with 'include'.", param="path")
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            # It went between listing and looking: as if it had never been.
            continue
        found.files.append(File(path, status.st_size, status.st_mtime_ns // 1_000_000, beside))
    return found


def _walk(
    root: str,
    folder: str,
    rules: list[tuple[str, str]],
    found: Found,
    *,
    hidden: bool,
    ignore: bool,
    exclude: tuple[str, ...],
    depth: int,
) -> Iterator[tuple[str, "os.DirEntry[str]", bool]]:
    """Yield the path and the entry of each file, and whether a file of fields stands beside it."""
    try:
        with os.scandir(os.path.join(root, folder)) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError:
        if not folder:
            raise InvalidRequest("The folder cannot be read; give the gateway's user leave to.", param="path") from None
        found.complete = False
        found.problems.append((folder.rstrip("/"), "cannot be listed; give the gateway's user leave to read it"))
        return
    if ignore and any(entry.name == _IGNORE for entry in entries):
        rules = [*rules, *_rules(root, folder)]
    names = {entry.name for entry in entries if entry.name.endswith(SIDECAR)}
    for entry in entries:
        path = folder + entry.name
        if (entry.name.startswith(".") and not hidden) or entry.name in _NEVER:
            continue
        if not _is_text(path):
            found.problems.append((ascii(path)[1:-1], "has a name that is no text; rename it"))
            continue
        inside = entry.is_dir(follow_symlinks=False)
        if is_excluded(path, rules, folder=inside) or any(matches(path, glob) for glob in exclude):
            continue
        if entry.is_symlink():
            target = os.path.realpath(os.path.join(root, path))
            if os.path.commonpath((root, target)) != root:
                found.problems.append((path, "is a link that leads out of the folder; copy the file itself"))
        elif inside and depth < _DEPTH:
            yield from _walk(
                root, path + "/", rules, found, hidden=hidden, ignore=ignore, exclude=exclude, depth=depth + 1
            )
        elif inside:
            found.complete = False
            found.problems.append((path, f"lies deeper than {_DEPTH} folders; add it as a source of its own"))
        elif entry.is_file(follow_symlinks=False):
            yield path, entry, entry.name + SIDECAR in names


def _rules(root: str, folder: str) -> list[tuple[str, str]]:
    try:
        text = read_file(root, folder + _IGNORE, 1024 * 1024)[0].decode("utf-8", "replace")
    except Unreadable:
        return []
    lines = (line.rstrip() for line in text.splitlines())
    return [(folder, line.removeprefix("\\")) for line in lines if line and not line.startswith("#")]


def _is_text(path: str) -> bool:
    # A name that is no UTF-8 comes as halves of surrogate pairs, which nothing can store.
    return path.isascii() or not any("\ud800" <= character <= "\udfff" for character in path)


def too_large(limit: int) -> str:
    """Return what is said of a file of more than ``limit`` bytes."""
    return f"has more than the {limit} bytes that are read; split it, or raise 'limits.size'"


def read_file(root: str, path: str, limit: int) -> tuple[bytes, int]:
    """Return a file of the folder ``root``, and when it was changed, wall-clock ms. No part of ``path`` may be a link,
    whoever put it there since the listing.

    Raises:
        Unreadable: it is gone, a link, no file, larger than ``limit`` bytes, or may not be read.
    """
    *folders, name = path.split("/")
    if not {"", ".", ".."}.isdisjoint((*folders, name)):
        raise Unreadable("leads out of the folder; name a file within it")
    handle = -1
    try:
        handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        for part in folders:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=handle)
            os.close(handle)
            handle = inner
        # Without O_NONBLOCK opening a pipe would wait for someone to write to it.
        inner = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
        os.close(handle)
        handle = inner
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise Unreadable("is no file; add the folder that its files lie in")
        if status.st_size > limit:
            raise Unreadable(too_large(limit))
        with os.fdopen(handle, "rb") as file:
            handle = -1
            data = file.read(limit + 1)
        if len(data) > limit:
            raise Unreadable(too_large(limit))
        return data, status.st_mtime_ns // 1_000_000
    except PermissionError:
        raise Unreadable("may not be read; give the gateway's user leave to") from None
    except OSError:
        raise Unreadable("cannot be read: it is gone, or a link; try again") from None
    finally:
        if handle >= 0:
            with contextlib.suppress(OSError):
                os.close(handle)
