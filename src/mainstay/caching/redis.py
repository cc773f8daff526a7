"""Kept answers in a Valkey or Redis server that all gateways of a fleet share. Needs the extra ``redis``.

What is dropped is gone for every gateway at once: nothing is kept in workers' memory, and a lookup is one round trip of
bounded time. Each script runs as one step on the server, so that an answer made before a drop cannot come in after it.
A server that is away is left alone for a moment; calls go on without it.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

import msgspec
import structlog

from mainstay.caching.exact import about
from mainstay.caching.port import Counts, Entry
from mainstay.caching.replay import pack, unpack
from mainstay.core.clock import monotonic
from mainstay.core.errors import StartError
from mainstay.store.sealing import Seal, SealLost

__all__ = ["RedisLost", "RedisShelf", "RedisTier"]

_log = structlog.get_logger("mainstay.caching")
#: In front of every key. The braces keep all of them on one node of a cluster, where scripts need them.
_PREFIX: Final = "{mainstay:cache}:"
_DOWN: Final = 1.0
#: Answers that may wait to be written.
_MOST: Final = 256
#: Seconds for which a dropped passage is remembered: no call takes longer.
_REMEMBERED: Final = 86_400
#: Seconds that a command line or an edit waits for the server.
_PATIENCE: Final = 10.0
#: Keys of one step through all of them.
_STEP: Final = 500

#: KEYS: the answer, the count of drops, the set of the record's and of the route's; the passages' sets and marks.
#: ARGV: value, milliseconds, age, passages.
_PUT: Final = """
local n = tonumber(ARGV[4])
local cleared = tonumber(redis.call('GET', KEYS[3]) or '0')
if tonumber(ARGV[3]) < cleared then return 0 end
for i = 1, n do
  local at = redis.call('GET', KEYS[5 + n + i])
  if at and tonumber(at) > tonumber(ARGV[3]) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
for i = 4, 5 + n do
  redis.call('SADD', KEYS[i], KEYS[1])
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
end
return 1
"""
#: KEYS: the count of drops; the sets whose answers go; the marks to leave. ARGV: number of sets, seconds.
_DROP: Final = """
local age = redis.call('INCR', KEYS[1])
local n = tonumber(ARGV[1])
local gone = 0
for i = 2, 1 + n do
  for _, key in ipairs(redis.call('SMEMBERS', KEYS[i])) do gone = gone + redis.call('DEL', key) end
  redis.call('DEL', KEYS[i])
end
for i = 2 + n, #KEYS do redis.call('SET', KEYS[i], age, 'EX', ARGV[2]) end
return gone
"""


class RedisLost(Exception):
    """The server cannot be reached."""


def _connect(url: str, patience: float, *, asynchronous: bool) -> tuple[Any, tuple[type[Exception], ...]]:
    """Return a client, which has not connected to anything yet, and what it raises.

    Raises:
        StartError: the extra is not installed, or it is no address.
    """
    try:
        package = import_module("redis.asyncio" if asynchronous else "redis")
        errors = import_module("redis.exceptions")
    except ModuleNotFoundError:
        raise StartError("'cache.url' needs the extra 'redis': pip install 'mainstay[redis]'.") from None
    plain = url.replace("valkeys://", "rediss://", 1).replace("valkey://", "redis://", 1)
    try:
        client = package.Redis.from_url(plain, socket_timeout=patience, socket_connect_timeout=patience)
    except ValueError as error:
        raise StartError(f"'cache.url' is no address of a server: {error}.") from None
    return client, (errors.RedisError, OSError)


class RedisTier:
    """Implements :class:`~mainstay.caching.port.Tier`.

    Args:
        url: of the server.
        wait: seconds that a lookup may take.
        seal: seals what is written.
        clock: wall-clock seconds.

    Raises:
        StartError: the extra is not installed.
    """

    def __init__(self, url: str, *, wait: float, seal: Seal, clock: Callable[[], float] = time.time) -> None:
        self._client, self._errors = _connect(url, max(wait, 1.0), asynchronous=True)
        self._keep = self._client.register_script(_PUT)
        self._wait = wait
        self._seal = seal
        self._clock = clock
        #: The count of drops when the server was last asked. That it may be older only keeps more away.
        self._age = 0
        self._down_until = 0.0
        self._writing: set[asyncio.Task[None]] = set()

    def age(self) -> int:
        """Return the count of drops as it was last known; see :class:`~mainstay.caching.port.Tier`."""
        return self._age

    async def get(self, key: bytes) -> Entry | None:
        """Return what is kept under ``key``; see :class:`~mainstay.caching.port.Tier`."""
        if monotonic() < self._down_until:
            return None
        try:
            async with asyncio.timeout(self._wait):
                age, value = await self._client.mget(_PREFIX + "age", _answer(key))
        except self._errors as error:
            self._fail(error)
            return None
        self._age = int(age or 0)
        if value is None:
            return None
        try:
            entry = unpack(self._seal.open(value, about(key)))
        except (SealLost, ValueError, msgspec.MsgspecError):
            return None
        return entry if entry.expires > self._clock() else None

    def put(self, key: bytes, entry: Entry) -> None:
        """Keep an answer; see :class:`~mainstay.caching.port.Tier`."""
        if monotonic() < self._down_until or len(self._writing) >= _MOST:
            return
        with suppress(SealLost):
            value = self._seal.seal(pack(entry), about(key), entry.organisation, entry.team)
            task = asyncio.get_running_loop().create_task(self._put(key, entry, value))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def aclose(self) -> None:
        """Finish what was begun and close."""
        if self._writing:
            await asyncio.wait(self._writing, timeout=_PATIENCE)
        with suppress(*self._errors):
            await self._client.aclose()

    async def _put(self, key: bytes, entry: Entry, value: bytes) -> None:
        left = int((entry.expires - self._clock()) * 1000)
        if left <= 0:
            return
        rests = [f"{entry.base}\0{one}" for one in entry.rests]
        names = [
            _answer(key),
            _PREFIX + "age",
            _PREFIX + "cleared",
            _PREFIX + f"source:{entry.source}",
            _PREFIX + f"route:{entry.route}",
            *[_PREFIX + f"rests:{one}" for one in rests],
            *[_PREFIX + f"dropped:{one}" for one in rests],
        ]
        try:
            await self._keep(keys=names, args=[value, left, entry.age, len(rests)])
        except self._errors as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._down_until = monotonic() + _DOWN
        _log.warning("cache_unreachable", reason=type(error).__name__, advice="calls go on without what is kept there")


class RedisShelf:
    """The same server for who changes what is kept: edits of knowledge and the command line. Blocks.

    Args:
        url: of the server.

    Raises:
        StartError: the extra is not installed.
    """

    def __init__(self, url: str) -> None:
        self._client, self._errors = _connect(url, _PATIENCE, asynchronous=False)
        self._let_go = self._client.register_script(_DROP)

    def drop(self, passages: Iterable[str]) -> int:
        """Delete all answers that rest on any of these passages; see :meth:`~mainstay.caching.disk.Disk.drop`.

        Raises:
            RedisLost: the server cannot be reached.
        """
        names = list(dict.fromkeys(passages))
        gone = 0
        for start in range(0, len(names), _STEP):
            part = names[start : start + _STEP]
            sets = [_PREFIX + f"rests:{one}" for one in part]
            gone += self._drop(sets, [_PREFIX + f"dropped:{one}" for one in part])
        return gone

    def evict(self, *, source: str = "", route: str = "") -> int:
        """Delete the answer made for a record, or all of a route. Raises RedisLost."""
        return self._drop([_PREFIX + (f"source:{source}" if source else f"route:{route}")], [])

    def clear(self) -> int:
        """Delete all answers, and turn away those that are being made. Raises RedisLost."""

        def work() -> int:
            age = self._client.incr(_PREFIX + "age")
            self._client.set(_PREFIX + "cleared", age)
            gone = 0
            for name in self._client.scan_iter(match=_PREFIX + "*", count=_STEP):
                if name.startswith(_answer(b"").encode()):
                    gone += self._client.delete(name)
                elif not name.endswith((b":age", b":cleared")) and b":dropped:" not in name:
                    self._client.delete(name)
            return gone

        found: int = self._do(work)
        return found

    def remove(self, keys: Sequence[bytes]) -> int:
        """Delete the answers of ``keys``; return how many there were. Raises RedisLost."""
        gone: int = self._do(lambda: self._client.delete(*map(_answer, keys)) if keys else 0)
        return gone

    def page(self, after: bytes, most: int) -> list[tuple[bytes, bytes]]:
        """Return keys and values by key, after one. Raises RedisLost."""

        def work() -> list[tuple[bytes, bytes]]:
            start = len(_answer(b""))
            names = self._client.scan_iter(match=_answer(b"") + "*", count=_STEP)
            keys = sorted(bytes.fromhex(name[start:].decode()) for name in names)
            keys = [key for key in keys if key > after][:most]
            values = self._client.mget([_answer(key) for key in keys]) if keys else []
            return [(key, value) for key, value in zip(keys, values, strict=True) if value is not None]

        found: list[tuple[bytes, bytes]] = self._do(work)
        return found

    def counts(self) -> Counts:
        """Return what is kept. Raises RedisLost."""

        def work() -> Counts:
            routes: dict[str, int] = {}
            size = 0
            for name in self._client.scan_iter(match=_PREFIX + "route:*", count=_STEP):
                live = [key for key in self._client.smembers(name) if self._client.exists(key)]
                size += sum(self._client.strlen(key) for key in live)
                if live:
                    routes[name.decode().removeprefix(_PREFIX + "route:")] = len(live)
            return Counts(sum(routes.values()), size, dict(sorted(routes.items())))

        found: Counts = self._do(work)
        return found

    def close(self) -> None:
        """Close."""
        self._client.close()

    def _drop(self, sets: list[str], marks: list[str]) -> int:
        names = [_PREFIX + "age", *sets, *marks]
        gone: int = self._do(lambda: self._let_go(keys=names, args=[len(sets), _REMEMBERED]))
        return gone

    def _do(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except self._errors as error:
            raise RedisLost(type(error).__name__) from error


def _answer(key: bytes) -> str:
    return f"{_PREFIX}answer:{key.hex()}"
