"""One engine, as a program: ``python -m mainstay.engines.child``. It is started by the supervisor only.

Reads its settings from the leash on standard input (never from arguments or the environment), serves until it is told
to drain or the leash ends, and beats while the server inside answers its own health check. Nothing that it prints
while serving is kept, so no prompt can reach a log.
"""

import ctypes
import json
import os
import select
import signal
import socket
import sys
from typing import Any

from mainstay.runtime.leash import BEAT_EVERY, Leash

__all__ = ["main"]

_PROBE = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
_PROBE_LIMIT = 5.0
#: Megabytes of memory for prompts of finished calls; the engine's own default is 8192.
_CACHE_MIB = 256
#: Seconds that a connection may be silent in either direction; the gateway's own timers are shorter.
_SILENCE = 600
#: Tokens that are worked on at once: the engine's own default, and the most that memory is taken for.
_PIECE, _LARGEST_PIECE = 512, 4096
#: The engine's level for errors only.
_ERRORS_ONLY = 1


def main() -> int:
    """Serve one engine until the leash ends; return the exit code."""
    leash = _take_leash()
    # A terminal or a service manager signals everyone; streams that workers finish still need this process.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _die_with_parent()
    settings = _settings(leash)
    if settings is None:
        return 0
    try:
        server = _serve(settings)
    except Exception as error:  # noqa: BLE001 - the engine's library raises what it likes; the reason is passed on
        leash.failed(
            f"The model file {settings['file']} cannot be loaded ({error}); it may be damaged or of a kind that this"
            " engine does not know. Download it again, or choose another."
        )
        return 1
    _silence()
    leash.ready()
    while not leash.parted:
        if select.select([leash.fileno()], [], [], BEAT_EVERY)[0]:
            if any(message.kind == "drain" for message in leash.receive()):
                break
        elif _healthy(settings["socket"]):
            leash.beat()
    _leave(settings["socket"])
    del server
    return 0


def _take_leash() -> Leash:
    """Move the leash away from the standard descriptors: the engine prints on those."""
    leash = Leash(os.dup(0), os.dup(1))
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)
    return leash


def _die_with_parent() -> None:
    """Ask the kernel to end this process with the supervisor even while the engine holds the interpreter (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _settings(leash: Leash) -> dict[str, Any] | None:
    while not leash.parted:
        select.select([leash.fileno()], [], [])
        for message in leash.receive():
            if message.kind == "settings":
                settings: dict[str, Any] = json.loads(message.payload)
                return settings
    return None


def _serve(settings: dict[str, Any]) -> object:
    # Loaded here and not above: a hundred megabytes of engine belong to this process alone.
    import xllamacpp

    _remove(settings["socket"])
    params = xllamacpp.CommonParams()
    params.model.path = settings["file"]
    params.model_alias = {settings["alias"]}
    params.hostnames = [settings["socket"]]
    params.api_keys = [settings["api_key"]]
    params.n_parallel = settings["parallel"]
    params.n_ctx = settings["context"] * settings["parallel"]
    params.cpuparams.n_threads = settings["threads"] or _threads()
    # The engine would shrink the window in silence to fit the memory it guesses to be free.
    params.fit_params = False
    params.cache_ram_mib = _CACHE_MIB
    params.timeout_read = params.timeout_write = _SILENCE
    params.endpoint_metrics = True
    params.endpoint_slots = False
    params.ui = False
    params.offline = True
    params.verbosity = _ERRORS_ONLY
    if settings["pooling"]:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type(settings["pooling"])
        # A text is worked on in one piece, or refused.
        params.n_batch = params.n_ubatch = min(max(settings["context"], _PIECE), _LARGEST_PIECE)
    before = os.umask(0o177)
    try:
        return xllamacpp.Server(params)
    finally:
        os.umask(before)


def _threads() -> int:
    """Half the processors this process may use when there are many (they come in pairs), else all."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return usable if usable <= 4 else usable // 2


def _silence() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)


def _healthy(path: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_PROBE_LIMIT)
            sock.connect(path)
            sock.sendall(_PROBE)
            return sock.recv(12).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def _leave(path: str) -> None:
    _remove(path)
    # Without unwinding: the engine's threads may be in the middle of an answer that nobody waits for.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
