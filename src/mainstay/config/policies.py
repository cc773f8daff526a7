"""Reads the files of policies that a configuration names, and finds what is wrong with them, by file and line.

Beside ``load``, which calls it once all else is right. What policies mean is ``governance``'s.
"""

import glob
import os
from pathlib import Path
from typing import Final

from mainstay.config.problems import Finding, Problem
from mainstay.governance.cedar import MISSING, Policy, PolicyText, find_flaws, is_installed
from mainstay.governance.cedar import read_policies as parse_policies
from mainstay.governance.config import PoliciesConfig

__all__ = ["ReadPolicies", "policy_files", "read_policies"]

_MAX_BYTES: Final = 4 * 1024 * 1024
_ENDING: Final = ".cedar"


class ReadPolicies:
    """What came of reading: the files in order of their names, what is wrong, and what to watch for changes."""

    def __init__(self) -> None:
        self.texts: tuple[PolicyText, ...] = ()
        self.policies: tuple[Policy, ...] = ()
        self.findings: list[Finding] = []
        self.problems: tuple[Problem, ...] = ()
        self.watched: list[Path] = []


def policy_files(entry: str, base: Path) -> list[Path]:
    """Return the files that an entry of ``policies.files`` stands for, by name."""
    path = os.path.join(base, entry)
    if os.path.isdir(path):
        return [Path(path, name) for name in sorted(os.listdir(path)) if name.endswith(_ENDING) and name[0] != "."]
    return [Path(found) for found in sorted(glob.glob(path)) if os.path.isfile(found)]


def read_policies(config: PoliciesConfig, base: Path) -> ReadPolicies:
    """Read and check the policies of a configuration in the folder ``base``."""
    read = ReadPolicies()
    if not config.files:
        return read
    if not is_installed():
        read.findings.append(Finding(("policies",), MISSING))
        return read
    texts: dict[str, PolicyText] = {}
    for number, entry in enumerate(config.files):
        place = ("policies", "files", number)
        files = policy_files(entry, base)
        # What is added to a folder changes the folder.
        read.watched += {*files, *(file.parent for file in files), _folder(base, entry)}
        if not files:
            read.findings.append(Finding(place, f"matches no file; name a {_ENDING} file, or a folder of them"))
        for file in files:
            text = _read(file)
            if isinstance(text, str):
                texts[str(file)] = PolicyText(str(file), text)
            else:
                read.findings.append(Finding(place, f"names '{file.name}', {text[0]}"))
    read.texts = tuple(texts.values())
    read.problems = tuple(Problem(flaw.path, flaw.line, "", flaw.message) for flaw in find_flaws(read.texts))
    if not read.problems:
        read.policies = tuple(parse_policies(read.texts))
    return read


def _folder(base: Path, entry: str) -> Path:
    path = Path(base, entry)
    return path if path.is_dir() else path.parent


def _read(file: Path) -> str | tuple[str]:
    """Return the text of a file, or why it has none."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            return (f"which is larger than {_MAX_BYTES // 1024**2} MiB",)
        return data.decode("utf-8-sig")
    except OSError as error:
        return (f"which cannot be read: {(error.strerror or 'it cannot be opened').lower()}",)
    except UnicodeDecodeError:
        return ("which is not UTF-8 text",)
