"""Listening sockets: one per slot on one port; whatever stands in the way is a sentence."""

import os
import socket
import sys

import pytest

from mainstay.core.errors import StartError
from mainstay.runtime.sockets import holder, listen, local_url


@pytest.mark.parametrize("slots", [1, 3])
def test_every_slot_listens_on_the_same_port(slots) -> None:
    sockets = listen("127.0.0.1", 0, slots)
    assert len(sockets) == slots
    assert len({sock.getsockname() for sock in sockets}) == 1
    for sock in sockets:
        assert not sock.getblocking()
        assert sock.get_inheritable()
        sock.close()


@pytest.mark.parametrize("slots", [1, 2])
def test_a_taken_port_is_refused_even_where_it_could_be_shared(slots) -> None:
    first = listen("127.0.0.1", 0, 2)
    port = first[0].getsockname()[1]
    with pytest.raises(StartError, match=rf"Port {port} is already in use by .*\(pid {os.getpid()}\); choose another"):
        listen("127.0.0.1", port, slots)
    for sock in first:
        sock.close()


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_an_address_of_another_machine_is_a_sentence(host) -> None:
    with pytest.raises(StartError, match=f"server.host {host} is not an address of this machine"):
        listen(host, 0, 1)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() == 0, reason="root may use every port")
def test_a_port_below_1024_says_what_to_do() -> None:
    with pytest.raises(StartError, match="choose one above 1023"):
        listen("127.0.0.1", 1, 1)


def test_nobody_holds_a_free_port() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert holder(sock.getsockname()[1]) == ""


@pytest.mark.parametrize(("host", "shown"), [("0.0.0.0", "127.0.0.1"), ("127.0.0.1", "127.0.0.1")])
def test_an_address_is_one_that_can_be_typed(host, shown) -> None:
    (sock,) = listen(host, 0, 1)
    assert local_url(sock) == f"http://{shown}:{sock.getsockname()[1]}"
    sock.close()
