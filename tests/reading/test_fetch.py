"""Files are fetched from where the route allows, and every trick to lead elsewhere fails."""

import asyncio
import gzip
from collections.abc import Sequence
from typing import Any

import pytest

from conftest import Certificates
from mainstay.core.errors import Unreadable
from mainstay.reading.config import FetchConfig
from mainstay.reading.fetch import Fetcher, resolve
from mainstay.runtime.transport import open_transport
from support.upstream import Chunk, Cut, Head, Received, Reply, Silence, Upstream

PICTURE = b"\x89PNG\r\n\x1a\n" + b"x" * 400
TYPE = (("content-type", "image/png"),)


class Names:
    """A resolver whose names lead where the test says; a list of lists is one answer after another."""

    def __init__(self, **names: Sequence[str]) -> None:
        self.names = {name.replace("_", "."): list(found) for name, found in names.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.names:
            raise OSError("no such name")
        found = self.names[host]
        return [found.pop(0)] if len(found) > 1 else found


def fetch(
    url: str, names: Any, limit: int = 10_000, kind: str = "image", ca_file: str | None = None, **rule: Any
) -> bytes:
    rule = {"allow": ["*.test:*"], "networks": ["127.0.0.0/8"], **rule}
    port = url.split(":")[2].split("/")[0] if url.count(":") > 1 else ""
    rule["allow"] = [host.replace("*.test:*", f"*.test:{port}" if port else "*.test") for host in rule["allow"]]

    async def run() -> bytes:
        transport = open_transport(http2=False, ca_file=ca_file)
        try:
            return await Fetcher(FetchConfig.model_validate(rule), transport, names).fetch(url, kind, limit)
        finally:
            await transport.aclose()

    return asyncio.run(run())


def test_a_file_is_fetched_by_the_name_and_from_the_address_it_led_to(upstream: Upstream) -> None:
    upstream.script(Reply(200, TYPE, PICTURE))
    names = Names(cdn_test=["127.0.0.1"])
    assert fetch(f"http://cdn.test:{upstream.port}/a.png?b=c", names) == PICTURE
    (request,) = upstream.requests
    assert (request.method, request.path) == ("GET", "/a.png?b=c")
    assert request.header("host") == f"cdn.test:{upstream.port}"
    assert {name for name, _ in request.headers} == {"host", "accept", "accept-encoding", "user-agent"}
    assert names.asked == ["cdn.test"]


def test_a_name_that_leads_inside_is_not_connected_to(upstream: Upstream) -> None:
    cases: tuple[tuple[Any, dict[str, Any]], ...] = (
        (Names(cdn_test=["127.0.0.1"]), {"networks": []}),
        (Names(cdn_test=["169.254.169.254"]), {"networks": ["169.254.0.0/16"]}),
        (_both, {}),
    )
    for look_up, rule in cases:
        with pytest.raises(Unreadable, match="private network"):
            fetch(f"http://cdn.test:{upstream.port}/", look_up, **rule)
    assert not upstream.requests


async def _both(host: str, port: int) -> Sequence[str]:
    """Lead outside and inside at once."""
    return ["93.184.216.34", "10.0.0.1"]


def test_a_name_that_changes_its_mind_is_asked_once(upstream: Upstream) -> None:
    upstream.script(Reply(200, TYPE, PICTURE))
    # The first answer is judged and connected to; a second, inside, would never be heard.
    names = Names(cdn_test=["127.0.0.1", "10.0.0.1"])
    assert fetch(f"http://cdn.test:{upstream.port}/", names) == PICTURE
    assert names.asked == ["cdn.test"]


def test_redirects_are_followed_and_each_is_judged(make_upstream: Any) -> None:
    upstream = make_upstream()
    base = f"http://cdn.test:{upstream.port}"

    def answer(request: Received) -> Any:
        hops = {
            "/1": "/2",
            "/2": f"http://other.test:{upstream.port}/3",
            "/inside": f"http://inner.test:{upstream.port}/",
            "/literal": f"http://127.0.0.1:{upstream.port}/",
            "/decimal": f"http://2130706433:{upstream.port}/",
            "/file": "file:///etc/passwd",
            "/loop": "/loop",
            "/none": "",
        }
        if request.path in hops:
            return Reply(302, (("location", hops[request.path]),) if hops[request.path] else (), b"")
        return Reply(200, TYPE, PICTURE)

    upstream.handler = answer
    names = Names(cdn_test=["127.0.0.1"], other_test=["127.0.0.1"], inner_test=["10.0.0.1"])
    assert fetch(f"{base}/1", names) == PICTURE
    assert names.asked == ["cdn.test", "cdn.test", "other.test"]
    for path, said in {
        "/inside": "private network",
        "/literal": "does not fetch from",
        "/decimal": "is none",
        "/file": "neither http:// nor https://",
        "/loop": "redirected too often",
        "/none": "redirected too often",
    }.items():
        with pytest.raises(Unreadable, match=said):
            fetch(f"{base}{path}", names)
    with pytest.raises(Unreadable, match="redirected too often"):
        fetch(f"{base}/1", names, redirects=1)


def test_hosts_that_are_not_allowed_are_not_even_looked_up() -> None:
    names = Names(evil_example=["93.184.216.34"])
    with pytest.raises(Unreadable, match="does not fetch from"):
        fetch("https://evil.example/", names)
    assert names.asked == []
    with pytest.raises(Unreadable, match="leads nowhere"):
        fetch("https://gone.test/", names)


def test_tls_is_checked_against_the_name_and_never_left(
    make_upstream: Any, certificates: Certificates, upstream: Upstream
) -> None:
    secure = make_upstream(tls=certificates.server)
    secure.script(Reply(200, TYPE, PICTURE))
    names = Names(localhost=["127.0.0.1"], cdn_test=["127.0.0.1"])
    allow = [f"localhost:{secure.port}", f"cdn.test:{secure.port}"]
    url = f"https://localhost:{secure.port}/"
    assert fetch(url, names, ca_file=certificates.ca_file, allow=allow) == PICTURE
    with pytest.raises(Unreadable, match="nobody answers"):
        fetch(f"https://cdn.test:{secure.port}/", names, ca_file=certificates.ca_file, allow=allow)
    secure.script(Reply(301, (("location", f"http://cdn.test:{upstream.port}/"),), b""))
    with pytest.raises(Unreadable, match="from https:// to http://"):
        fetch(url, names, ca_file=certificates.ca_file, allow=allow)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([Reply(404, (), b"")], "the answer was 404"),
        ([Reply(200, (("content-type", "text/html"),), b"<html>")], "is no image"),
        ([Reply(200, TYPE, b"x" * 20_000)], "is larger than the 10000 bytes"),
        ([Head(200, TYPE), *[Chunk(b"x" * 4000)] * 4, Cut()], "is larger"),
        ([Head(200, TYPE), Chunk(b"x"), Cut()], "broke off"),
        ([Reply(200, (*TYPE, ("content-encoding", "gzip")), gzip.compress(b"\0" * 10_000_000))], "is larger"),
        ([Cut()], "nobody answers"),
        ([Silence()], "within 0.2 s"),
    ],
)
def test_what_goes_wrong_at_the_other_end_is_told(upstream: Upstream, steps: list[Any], said: str) -> None:
    upstream.script(steps)
    with pytest.raises(Unreadable, match=said):
        fetch(f"http://cdn.test:{upstream.port}/", Names(cdn_test=["127.0.0.1"]), timeout="200ms")


def test_a_document_may_be_of_any_type(upstream: Upstream) -> None:
    upstream.script(Reply(200, (("content-type", "text/html"),), b"<html>x"))
    url = f"http://cdn.test:{upstream.port}/"
    assert fetch(url, Names(cdn_test=["127.0.0.1"]), kind="document") == b"<html>x"


def test_the_systems_resolver_is_the_usual_one() -> None:
    assert "127.0.0.1" in asyncio.run(resolve("localhost", 80))
