"""``mainstay chat``: a caller like any other, from a pipe and from a terminal."""

import contextlib
import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios
import threading
import time

import pytest

from support.upstream import Chunk, Cut, Head, Reply, Wait, json_reply


def delta(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def ending(reason: str) -> bytes:
    choice = {"index": 0, "delta": {}, "finish_reason": reason}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


@pytest.fixture
def url(upstream) -> str:
    return f"http://127.0.0.1:{upstream.port}"


def test_a_piped_message_is_answered_on_standard_output(command, upstream, url) -> None:
    upstream.script([Head(200), Chunk(delta("Hel")), Chunk(delta("lo") + DONE)])
    code, out, errors = command.run(
        "chat", "-m", "small", "--url", url, "--key", "ms-k", "--system", "Be brief.", said="Hi\n"
    )
    assert (code, out, errors) == (0, "Hello\n", "")
    (request,) = upstream.requests
    assert request.path == "/v1/chat/completions"
    assert dict(request.headers)["authorization"] == "Bearer ms-k"
    assert json.loads(request.body) == {
        "model": "small",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("length", "[The answer was cut at the limit on its length.]\n"),
        ("content_filter", "[The answer was cut by the provider's content filter.]\n"),
        ("stop", ""),
    ],
)
def test_an_answer_that_was_cut_says_so_beside_itself(command, upstream, url, reason, said) -> None:
    usage = b'data: {"choices": [], "usage": {}}\n\n'
    upstream.script([Head(200), Chunk(delta("Once upon") + ending(reason) + usage + DONE)])
    assert command.run("chat", "-m", "small", "--url", url, said="A story") == (0, "Once upon\n", said)


def test_a_refusal_of_the_models_is_shown_like_an_answer(command, upstream, url) -> None:
    refusal = {"choices": [{"index": 0, "delta": {"refusal": "I would rather not."}}]}
    upstream.script([Head(200), Chunk(b"data: " + json.dumps(refusal).encode() + b"\n\n" + ending("stop") + DONE)])
    assert command.run("chat", "-m", "small", "--url", url, said="Hi") == (0, "I would rather not.\n", "")


def test_without_a_model_the_first_one_is_asked(command, upstream, url) -> None:
    upstream.script(
        json_reply({"data": [{"id": "assistant"}, {"id": "small"}]}), [Head(200), Chunk(delta("ok") + DONE)]
    )
    assert command.run("chat", "--url", url, said="Hi")[1] == "ok\n"
    assert json.loads(upstream.requests[1].body)["model"] == "assistant"


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (json_reply({"error": {"message": "No such model."}}, status=404), "No such model."),
        (
            json_reply({"error": {"message": "This key is unknown."}}, status=401),
            "Give one with --key or MAINSTAY_API_KEY.",
        ),
        (Reply(502, body=b"<html>"), "The gateway answered with status 502."),
        ([Head(200), Chunk(b'data: {"error": {"message": "It broke."}}\n\n')], "The answer broke off: It broke."),
        ([Head(200), Chunk(delta("Hel")), Cut()], "The answer broke off; look at"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_exit_code_1(command, upstream, url, steps, sentence) -> None:
    upstream.script(steps)
    code, _, errors = command.run("chat", "-m", "small", "--url", url, said="Hi")
    assert code == 1
    assert sentence in errors
    assert "Traceback" not in errors


def test_nobody_there_says_how_to_start(command, refused_port) -> None:
    code, _, errors = command.run("chat", "-m", "small", "--url", f"http://127.0.0.1:{refused_port}", said="Hi")
    assert code == 1
    assert "start it with: mainstay up" in errors


def test_without_a_server_the_folder_s_own_is_missed(command) -> None:
    code, out, errors = command.run("chat", said="Hi")
    assert (code, out, errors) == (1, "", "mainstay: Nothing runs here; start it with: mainstay up\n")


def test_a_message_that_is_empty_is_bad_usage(command) -> None:
    code, _, errors = command.run("chat", "--url", "http://127.0.0.1:1", "-m", "small", said="\n")
    assert code == 2
    assert "standard input is empty" in errors


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://x:99999"])
def test_an_address_that_is_none_is_bad_usage(command, url) -> None:
    code, _, errors = command.run("chat", "--url", url, said="Hi")
    assert code == 2
    assert "--url" in errors


class Terminal:
    """``mainstay chat`` on a terminal of its own."""

    def __init__(self, command, *arguments: str) -> None:
        self.fd, theirs = pty.openpty()
        self.shown = b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from mainstay.cli.main import main; main()", "chat", *arguments],
            cwd=command.folder,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(theirs)

    def type(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def see(self, text: bytes) -> None:
        """Wait until ``text`` is shown after what was seen before."""
        until = time.monotonic() + 20
        while text not in self.shown:
            assert time.monotonic() < until, self.shown
            if select.select([self.fd], [], [], 0.5)[0]:
                self.shown += os.read(self.fd, 4096)
        self.shown = self.shown.partition(text)[2]


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_on_a_terminal_ctrl_c_stops_the_answer_and_a_second_one_leaves(command, upstream, url) -> None:
    never = threading.Event()
    upstream.script(
        [Head(200), Chunk(delta("once upon")), Wait(never)],
        [Head(200), Chunk(delta("fine") + ending("length") + DONE)],
    )
    terminal = Terminal(command, "-m", "small", "--url", url)
    terminal.see(b"> ")
    terminal.type(b"A story\n")
    terminal.see(b"once upon")
    terminal.type(b"\x03")
    terminal.see(b"[stopped]")
    assert upstream.requests[0].closed.wait(60)
    terminal.see(b"> ")
    terminal.type(b"And you?\n")
    terminal.see(b"fine")
    terminal.see(b"[The answer was cut at the limit on its length.]")
    terminal.see(b"> ")
    # One that comes before input() listens is only seen with the next key.
    for _ in range(30):
        terminal.type(b"\x03")
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert terminal.process.wait(2) == 0
            break
    os.close(terminal.fd)
    # What was said and heard before, the stopped answer included, goes with the next question.
    assert [message["content"] for message in json.loads(upstream.requests[1].body)["messages"]] == [
        "A story",
        "once upon",
        "And you?",
    ]
