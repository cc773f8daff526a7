"""The process that reads: what it answers, and that it ends with its parent."""

import socket
import struct
import subprocess
import sys

import msgspec

from mainstay.reading.port import Job, Result, Text, Work


def test_it_answers_what_a_file_says_and_ends_when_the_line_closes() -> None:
    ours, theirs = socket.socketpair()
    with ours, ours.makefile("rb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "mainstay.reading.child", str(2 * 1024**3)], stdin=theirs, stdout=subprocess.PIPE
        )
        theirs.close()
        for data, expected in (
            (b"A line.", Result(Text("A line.", "text"))),
            (b"{\\rtf1", Result(problem="is Rich Text; save it as docx or PDF and send that")),
        ):
            job = msgspec.msgpack.encode(Job(Work("document", data), 30))
            ours.sendall(struct.pack(">I", len(job)) + job)
            size = struct.unpack(">I", file.read(4))[0]
            assert msgspec.msgpack.decode(file.read(size), type=Result) == expected
    with process:
        assert process.wait(30) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b""
