"""A process that has loaded Mainstay and forks servers off: what each test would load anew is loaded once.

Loading takes a second of processor, the suite starts hundreds of gateways. A forked one is the same ``mainstay serve``
from its command line on; tests of starting itself (``support.command``) start an interpreter of their own.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["Cast", "cast"]

_IS_POSSIBLE = hasattr(os, "pidfd_open")


class Cast:
    """A process forked off, as :class:`subprocess.Popen` has them."""

    def __init__(self, pid: int, ended: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = ended

    def poll(self) -> int | None:
        """Return the exit status, None while it runs."""
        if self.returncode is None and select.select([self._ended], [], [], 0)[0]:
            self._end()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once it has ended."""
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            self._end()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _end(self) -> None:
        said = self._ended.recv(64)
        self._ended.close()
        assert said, "the process that forks servers has ended"
        self.returncode = int(said)


class _Mold:
    """Asks the process that forks."""

    def __init__(self) -> None:
        self._asking, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        atexit.register(self._close)

    def cast(self, arguments: Sequence[str], env: Mapping[str, str], out: int, log: int) -> Cast:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            said = json.dumps({"arguments": arguments, "env": dict(env), "folder": os.getcwd()}).encode()
            self._asking.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            socket.send_fds(self._asking, [said], [out, log, theirs.fileno()])
        return Cast(int(self._asking.recv(64)), ours)

    def _close(self) -> None:
        self._asking.close()
        self._process.wait()


#: By the interpreter: a test may have put one in its place that takes rights away.
_molds: dict[str, _Mold] = {}


def cast(arguments: Sequence[str], env: Mapping[str, str], out: int, log: int) -> "Cast | subprocess.Popen[bytes]":
    """Start ``mainstay`` with ``arguments``; ``out`` and ``log`` are the files it writes to."""
    if not _IS_POSSIBLE:
        return subprocess.Popen([sys.executable, "-m", "mainstay", *arguments], env=dict(env), stdout=out, stderr=log)
    if sys.executable not in _molds:
        _molds[sys.executable] = _Mold()
    return _molds[sys.executable].cast(arguments, env, out, log)


def _be(asked: dict[str, Any], fds: Sequence[int]) -> None:
    """In the forked process: be the command. Does not return."""
    from mainstay.cli.main import main

    os.dup2(fds[0], 1)
    os.dup2(fds[1], 2)
    os.closerange(3, 256)
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["folder"])
    sys.argv = [os.path.join(os.path.dirname(sys.executable), "mainstay"), *asked["arguments"]]
    status = 1
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _fork(asking: socket.socket, running: dict[int, tuple[int, socket.socket]]) -> bool:
    """Fork what is asked for; False once nobody asks any more."""
    said, fds, _, _ = socket.recv_fds(asking, 1 << 20, 3)
    if not said:
        return False
    pid = os.fork()
    if not pid:
        _be(json.loads(said), fds)
    os.close(fds[0])
    os.close(fds[1])
    running[os.pidfd_open(pid)] = (pid, socket.socket(fileno=fds[2]))
    asking.send(str(pid).encode())
    return True


def _serve(asking: socket.socket) -> None:
    import gc
    import importlib

    for name in ("mainstay.app", "mainstay.api.admin.listener", "mainstay.cli.main", "sqlalchemy"):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    running: dict[int, tuple[int, socket.socket]] = {}
    asked = True
    while asked:
        for ready in select.select([asking, *running], [], [])[0]:
            if ready is asking:
                asked = _fork(asking, running)
                continue
            pid, told = running.pop(ready)
            told.send(str(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])).encode())
            told.close()
            os.close(ready)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
