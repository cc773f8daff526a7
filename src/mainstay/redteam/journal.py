"""What came of each case, one line each, written before the next is begun: a run that is killed can go on.

A folder holds one run: ``run.json`` says which, ``results.jsonl`` what came of it, ``transcripts.jsonl``, where that is
wanted, what was said in full. Answers may hold what must not get out: a result has only an excerpt, its secrets masked.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from mainstay.core.errors import ConfigError, StartError
from mainstay.guardrails.canary import CanaryScanner
from mainstay.guardrails.port import Finding, Scanner
from mainstay.guardrails.secrets import KeyBlocks, SecretScanner

__all__ = ["EXCERPT", "About", "Journal", "Mask", "Outcome", "Result", "Side"]

#: The route as it is, or what it is compared with.
Side = Literal["guarded", "baseline"]
#: ``success``: the attack reached its goal. ``blocked``: the gateway stopped it. ``held``: it was answered and did not
#: reach its goal; of harmless requests, it was let through. ``error``: there is no answer to judge.
Outcome = Literal["success", "held", "blocked", "error"]
#: Characters of an answer that are kept.
EXCERPT: Final = 300


class About(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a folder is a run of; two are the same run where all but ``at`` is equal."""

    route: str
    baseline: str
    #: Of the cases and all else that an answer depends on; see ``plan.digest_of``.
    digest: str
    cases: int
    #: How refusals are told: ``model``, ``phrases`` or ``none``.
    refusals: str
    #: Wall-clock milliseconds of its beginning.
    at: int = 0


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """One case on one side."""

    case: str
    side: Side
    outcome: Outcome
    #: By what success was told (see ``judge.Verdict``), or what went wrong.
    why: str = ""
    #: Of the calls that were made; the last one's status, code and id.
    calls: int = 0
    status: int = 0
    code: str = ""
    request_id: str = ""
    excerpt: str = ""
    seconds: float = 0.0


class Journal:
    """Keeps results in a folder, which is made where it is not there.

    Args:
        folder: of one run.
        about: which run that is.
        keep: write what was said in full, too.
        fresh: forget what the folder holds.

    Raises:
        ConfigError: the folder holds another run.
        StartError: it cannot be written, or another process writes it.
    """

    def __init__(self, folder: Path, about: About, *, keep: bool = False, fresh: bool = False) -> None:
        self._folder = folder
        self._files = contextlib.ExitStack()
        try:
            with self._files as files:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                fcntl.flock(self._appended("lock"), fcntl.LOCK_EX | fcntl.LOCK_NB)
                if fresh:
                    for name in ("run.json", "results.jsonl", "transcripts.jsonl"):
                        (folder / name).unlink(missing_ok=True)
                self.about = self._begin(about)
                self.results = self._read()
                self._file = self._appended("results.jsonl")
                self._kept = self._appended("transcripts.jsonl") if keep else -1
                # What goes wrong closes them; otherwise they stay open until close().
                self._files = files.pop_all()
        except BlockingIOError:
            raise StartError(f"Another run is at work in the folder '{folder}'; name another with --out.") from None
        except OSError as error:
            raise StartError(f"The folder '{folder}' cannot be written ({error.strerror}).") from None

    def _begin(self, about: About) -> About:
        path = self._folder / "run.json"
        with contextlib.suppress(FileNotFoundError):
            try:
                before = msgspec.json.decode(path.read_bytes(), type=About)
            except msgspec.DecodeError:
                raise ConfigError(f"The file '{path}' is damaged; name another folder with --out.") from None
            if msgspec.structs.replace(before, at=about.at) != about:
                raise ConfigError(
                    f"The folder '{self._folder}' holds another run (other attacks, another route or baseline); name "
                    "another one with --out, or begin anew with --fresh."
                )
            return before
        beside = path.with_suffix(".new")
        _write(beside, msgspec.json.encode(about) + b"\n")
        beside.replace(path)
        return about

    def _read(self) -> dict[tuple[str, Side], Result]:
        """Return what is finished, errors left out; a line cut by a crash is cut off."""
        path = self._folder / "results.jsonl"
        found: dict[tuple[str, Side], Result] = {}
        with contextlib.suppress(FileNotFoundError):
            data = path.read_bytes()
            whole = data[: data.rfind(b"\n") + 1]
            if len(whole) < len(data):
                os.truncate(path, len(whole))
            for line in whole.splitlines():
                try:
                    result = msgspec.json.decode(line, type=Result)
                except msgspec.DecodeError:
                    raise ConfigError(f"The file '{path}' is damaged; name another folder with --out.") from None
                found[result.case, result.side] = result
        return {key: result for key, result in found.items() if result.outcome != "error"}

    def add(self, result: Result, transcript: Sequence[dict[str, Any]] = ()) -> None:
        """Write a result so that nothing can lose it any more."""
        self.results[result.case, result.side] = result
        try:
            if self._kept >= 0:
                row = {"case": result.case, "side": result.side, "messages": list(transcript)}
                os.write(self._kept, msgspec.json.encode(row) + b"\n")
            os.write(self._file, msgspec.json.encode(result) + b"\n")
            os.fsync(self._file)
        except OSError as error:
            raise StartError(f"The folder '{self._folder}' cannot be written ({error.strerror}).") from None

    def close(self) -> None:
        """Close the files."""
        self._files.close()

    def _appended(self, name: str) -> int:
        file = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._files.callback(os.close, file)
        return file


def _write(path: Path, data: bytes) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, data)
        os.fsync(file)
    finally:
        os.close(file)


class Mask:
    """Makes excerpts of answers: what looks like a secret, and what is named as one, is masked; the rest is cut.

    Args:
        canaries: words of a team's own that must not be shown.
    """

    def __init__(self, canaries: Iterable[str] = ()) -> None:
        self._scanners: tuple[Scanner, ...] = (KeyBlocks(), SecretScanner(), CanaryScanner(canaries))

    def excerpt(self, text: str) -> str:
        """Return the beginning of ``text``, at most :data:`EXCERPT` characters and an ellipsis."""
        for scanner in self._scanners:
            text = _without(text, scanner.scan(text))
        return text if len(text) <= EXCERPT else text[:EXCERPT] + "…"


def _without(text: str, findings: Sequence[Finding]) -> str:
    pieces, at = [], 0
    for one in findings:
        pieces += [text[at : one.start], f"[{one.kind}]"]
        at = one.end
    return "".join([*pieces, text[at:]])
