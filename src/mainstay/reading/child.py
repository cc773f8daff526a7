"""One process that reads files, as a program: ``python -m mainstay.reading.child``. A worker's ``helper`` starts it.

Takes one file after another over the socket that is its standard input, and answers with what it says. Its memory is
limited, it knows no secret, opens no file of its own, and ends with its parent. A file that breaks it takes nothing
else along.
"""

import ctypes
import resource
import signal
import socket
import struct
import sys

import msgspec

from mainstay.core.errors import Unreadable
from mainstay.reading.extract import extract
from mainstay.reading.port import Job, Result

__all__ = ["main"]

_LENGTH = struct.Struct(">I")


def main() -> int:
    """Read files until the socket closes; return the exit code. The one argument is the address space in bytes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    memory = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    jobs, encode = msgspec.msgpack.Decoder(Job), msgspec.msgpack.Encoder().encode
    with socket.socket(fileno=0) as line:
        while (data := _receive(line)) is not None:
            answer = encode(_read(jobs.decode(data)))
            line.sendall(_LENGTH.pack(len(answer)) + answer)
    return 0


def _read(job: Job) -> Result:
    # The parent kills a process that takes too long; this is for when there is no parent any more.
    signal.alarm(job.seconds)
    try:
        return Result(extract(job.work))
    except Unreadable as error:
        return Result(problem=error.message)
    except MemoryError:
        return Result(problem="needs more memory to be read than there may be; send a smaller file")
    except Exception:  # noqa: BLE001 - the libraries raise what they like at a file that was made to break them
        return Result(problem="cannot be read; it may be damaged: save it again and send that")
    finally:
        signal.alarm(0)


def _receive(line: socket.socket) -> bytes | None:
    """Return the next message, or None at the end."""
    head = _exactly(line, _LENGTH.size)
    return _exactly(line, _LENGTH.unpack(head)[0]) if head is not None else None


def _exactly(line: socket.socket, size: int) -> bytes | None:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        count = line.recv_into(view[got:])
        if not count:
            return None
        got += count
    return bytes(data)


if __name__ == "__main__":
    sys.exit(main())
