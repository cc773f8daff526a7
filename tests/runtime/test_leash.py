"""The leash: messages both ways, in any pieces, and a death notice."""

import asyncio
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.runtime.leash import Leash, Message, pair


@pytest.fixture
def ends() -> Iterator[tuple[Leash, Leash]]:
    ours, theirs = pair()
    child = Leash(theirs.detach())
    yield ours, child
    ours.close()
    child.close()


def test_messages_arrive_as_they_were_sent(ends) -> None:
    ours, child = ends
    ours.send("config", b"a\nb\0", generation=3)
    ours.send("drain", limit=1.5)
    assert child.receive() == [Message("config", {"generation": 3}, b"a\nb\0"), Message("drain", {"limit": 1.5})]
    child.ready()
    child.applied(3)
    child.failed("no wheel", 2)
    assert [message.kind for message in ours.receive()] == ["ready", "applied", "failed"]
    assert not ours.parted


def test_the_end_of_the_other_side_is_seen(ends) -> None:
    ours, child = ends
    child.beat()
    child.close()
    assert [message.kind for message in ours.receive()] == ["beat"]
    assert ours.parted
    ours.send("drain", limit=1)
    assert not ours.pending


def test_a_long_message_waits_for_its_reader_without_blocking(ends) -> None:
    ours, child = ends
    payload = os.urandom(5_000_000)
    ours.send("config", payload, generation=1)
    assert ours.pending
    got: list[Message] = []
    while not got:
        got = child.receive()
        ours.flush()
    assert got == [Message("config", {"generation": 1}, payload)]
    assert not ours.pending


def test_beats_do_not_pile_up_behind_a_reader_that_sleeps(ends) -> None:
    ours, child = ends
    while not child.pending:
        child.beat()
    waiting = len(child._outgoing)
    child.beat()
    assert len(child._outgoing) == waiting
    assert ours.receive()


@pytest.mark.parametrize(
    "nonsense", [b"hello\n", b"[]\n", b'{"kind":"a"}\n', b'{"kind":"a","size":"x"}\n', b"x" * 70_000]
)
def test_what_is_not_ours_ends_the_line(nonsense) -> None:
    one, other = socket.socketpair()
    leash = Leash(one.detach())
    other.sendall(nonsense)
    assert leash.receive() == []
    assert leash.parted
    leash.close()
    other.close()


@given(
    messages=st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]), st.dictionaries(st.sampled_from("xyz"), st.integers()), st.binary(max_size=40)
        ),
        max_size=6,
    ),
    cuts=st.lists(st.integers(1, 30), max_size=40),
)
def test_any_cutting_of_the_bytes_gives_the_same_messages(messages, cuts) -> None:
    one, other = socket.socketpair()
    middle, reader = Leash(one.detach()), socket.socketpair()
    for kind, fields, payload in messages:
        middle.send(kind, payload, **fields)
    sent = other.recv(1_000_000) if messages else b""
    child, got = Leash(reader[0].detach()), []
    for cut in [*cuts, len(sent)]:
        piece, sent = sent[:cut], sent[cut:]
        if piece:
            reader[1].sendall(piece)
            got += child.receive()
    if sent:
        reader[1].sendall(sent)
        got += child.receive()
    assert got == [Message(*message) for message in messages]
    for end in (middle, child, other, reader[1]):
        end.close()


def test_an_event_loop_hears_edits_and_one_drain(ends) -> None:
    ours, child = ends
    heard: list[Any] = []

    async def main() -> None:
        drained = asyncio.Event()
        child.attach(
            asyncio.get_running_loop(),
            on_config=lambda generation, payload: heard.append((generation, payload)),
            on_drain=lambda limit: (heard.append(limit), drained.set()),
        )
        ours.send("config", b"new", generation=2)
        ours.send("drain", limit=5)
        ours.send("drain", limit=6)
        await drained.wait()
        ours.close()
        while not child.parted:
            await asyncio.sleep(0)

    asyncio.run(main())
    assert heard == [(2, b"new"), 5.0]


def test_a_dead_parent_is_a_drain_without_a_limit(ends) -> None:
    ours, child = ends
    heard: list[float | None] = []

    async def main() -> None:
        drained = asyncio.Event()
        child.attach(
            asyncio.get_running_loop(),
            on_config=lambda *_: None,
            on_drain=lambda limit: (heard.append(limit), drained.set()),
        )
        ours.close()
        await drained.wait()

    asyncio.run(main())
    assert heard == [None]
