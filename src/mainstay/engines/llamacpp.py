"""Models in GGUF files, run by llama.cpp's own server in a child process per model.

It speaks OpenAI's wire on a Unix socket that only this user can open (mode 0600 in a directory of mode 0700) and wants
a key that only this server's processes know. The window of a call is the row's ``context``, guaranteed: the memory for
``parallel`` such windows is taken at the start, so that one long call cannot push another out.

Where an engine listens follows from its row. A changed row is a new socket beside the old one's, and both run while
callers move over; the same row gives the same program, so an edit elsewhere leaves a running engine alone.
"""

import hashlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from mainstay.core.errors import StartError
from mainstay.core.ports import Origin
from mainstay.core.target import TALKS, Feature, Operation
from mainstay.engines.files import chat_template, find_model, pooling
from mainstay.engines.port import EngineAddress, EngineRow
from mainstay.runtime.children import Program
from mainstay.runtime.state import make_private

__all__ = ["LACKS", "LlamaCpp"]

#: What no model can do here. Measured over HTTP: media without a projector end in a 500, and the usage of an answer
#: with ``n`` above 1 counts one choice only. A budget for thinking would be passed over in silence.
LACKS = frozenset({Feature.IMAGES, Feature.AUDIO, Feature.DOCUMENTS, Feature.CHOICES, Feature.THINKING})
#: Ways to make a vector, in llama.cpp's order.
_POOLINGS = ("none", "mean", "cls", "last", "rank")
#: A Unix socket's path has 108 bytes on Linux and 104 elsewhere, its end marker included.
_PATH_LIMIT = 103


class LlamaCpp:
    """The ``llamacpp`` rows of one configuration.

    Args:
        rows: provider name to row.
        home: where ``run/`` and ``models/`` lie.
        base: the configuration's directory, for relative model paths.
        secret: what the engines' keys are made from, 64 bytes at most; keep it for as long as the engines run.

    Raises:
        StartError: the engine is not installed, a model file is missing or damaged, or ``home`` is unfit.
    """

    def __init__(self, rows: Mapping[str, EngineRow], home: Path, base: Path, secret: bytes) -> None:
        if rows and importlib.util.find_spec("xllamacpp") is None:
            raise StartError("Local models need the engine; install it with: pip install 'mainstay[local]'")
        self._programs: list[Program] = []
        self._addresses: dict[str, EngineAddress] = {}
        make_private(home)
        for name, row in rows.items():
            self._add(name, row, find_model(row.model, home, base), home, secret)

    def programs(self) -> tuple[Program, ...]:
        """Return what to run, one program per engine, named as its provider row."""
        return tuple(self._programs)

    def addresses(self) -> Mapping[str, EngineAddress]:
        """Return how to call each engine, by the name of its provider row."""
        return self._addresses

    def _add(self, name: str, row: EngineRow, file: Path, home: Path, secret: bytes) -> None:
        modified = file.stat().st_mtime_ns
        operations, kind = _operations(file, modified, row.pooling)
        told = [name, str(home), str(file), modified, row.context, row.parallel, row.threads, kind]
        facts = json.dumps(told).encode()
        mark = hashlib.blake2b(facts, digest_size=4).hexdigest()
        path = _socket_path(name, mark, home)
        _own_directory(path.parent)
        api_key = hashlib.blake2b(facts, key=secret, digest_size=24).hexdigest()
        settings = {
            "file": str(file),
            "alias": file.stem if row.model.endswith(".gguf") else row.model,
            "socket": str(path),
            "api_key": api_key,
            "context": row.context,
            "parallel": row.parallel,
            "threads": row.threads,
            "pooling": kind,
        }
        argv = (sys.executable, "-m", "mainstay.engines.child")
        self._programs.append(Program(name, argv, json.dumps(settings).encode(), start_within=row.start_timeout))
        origin = Origin(host="localhost", port=0, uds=str(path))
        lacks = _lacks(file, modified)
        self._addresses[name] = EngineAddress(origin, api_key, lacks, row.context, operations)


@lru_cache(maxsize=64)
def _lacks(file: Path, _modified: int) -> frozenset[Feature]:
    """A model whose chat template never mentions tools would be asked without them, in silence."""
    return LACKS if "tools" in chat_template(file) else LACKS | {Feature.TOOLS}


@lru_cache(maxsize=64)
def _operations(file: Path, _modified: int, given: str) -> tuple[frozenset[Operation], int]:
    """Return what a model can be asked, and how its vectors are made, as llama.cpp numbers it."""
    kind = pooling(file) if given == "auto" else _POOLINGS.index(given)
    if not kind:
        return TALKS, 0
    vectors = frozenset({Operation.RERANK if kind == _POOLINGS.index("rank") else Operation.EMBEDDING})
    return vectors if given == "auto" else TALKS | vectors, kind


def _socket_path(name: str, mark: str, home: Path) -> Path:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in name)[:16]
    path = home / "run" / f"{plain}-{mark}.sock"
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        return path
    # Too deep for a socket: a private directory under the system's own, the same for the same home.
    place = hashlib.blake2b(os.fsencode(home), digest_size=4).hexdigest()
    return Path(tempfile.gettempdir()) / f"mainstay-{os.getuid()}-{place}" / path.name


def _own_directory(directory: Path) -> None:
    """Make ``directory`` with mode 0700, or make sure that the one there is ours.

    Raises:
        StartError: it cannot be made, or it is another user's.
    """
    make_private(directory)
    if directory.is_symlink() or directory.stat().st_uid != os.getuid():
        raise StartError(f"{directory} must be a directory of this user; remove it, or set MAINSTAY_HOME elsewhere.")
    directory.chmod(0o700)
