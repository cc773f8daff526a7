"""Damages what a vendor sends, in the ways that servers, relays and networks do; the same seed does the same damage."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

__all__ = ["mutate_bytes", "mutate_json"]

#: Values that stand where another was expected.
_JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**30,
    1.5,
    -0.0,
    1e308,
    "",
    " ",
    "x",
    "null",
    "\x00",
    "\ud83d",
    "é\u2028\U0001f600",
    '{"a"',
    "[DONE]",
    "error",
    [],
    {},
    [[]],
    [None],
    [{}],
    {"": None},
    {"type": "text"},
    {"type": 3},
    {"error": {"message": "x", "code": 500}},
    [1, "a", {"b": []}],
)
_BYTES = (
    b"",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"\n",
    b"\r",
    b"1e9",
    b"\\ud800",
)


def mutate_json(value: Any, chance: Random) -> Any:
    """Return a copy of ``value`` with one to three places of it changed."""
    value = json.loads(json.dumps(value))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        value = _change(value, chance)
    return value


def _change(value: Any, chance: Random) -> Any:
    places: list[tuple[Any, Any]] = []
    _collect(value, places)
    if not places or chance.random() < 0.02:
        return _junk(chance)
    holder, key = chance.choice(places)
    _CHANGES[chance.randrange(len(_CHANGES))](holder, key, chance, places)
    return value


def _junk(chance: Random) -> Any:
    # A copy: what is put in may be changed next.
    return json.loads(json.dumps(chance.choice(_JUNK)))


def _collect(value: Any, places: list[tuple[Any, Any]]) -> None:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        places.append((value, key))
        _collect(inner, places)


def _replace(holder: Any, key: Any, chance: Random, places: list[tuple[Any, Any]]) -> None:
    holder[key] = _junk(chance)


def _drop(holder: Any, key: Any, chance: Random, places: list[tuple[Any, Any]]) -> None:
    del holder[key]


def _wrap(holder: Any, key: Any, chance: Random, places: list[tuple[Any, Any]]) -> None:
    inner = holder[key]
    holder[key] = chance.choice(([inner], {"x": inner}, [inner, inner], str(inner)))


def _swap(holder: Any, key: Any, chance: Random, places: list[tuple[Any, Any]]) -> None:
    # By value: what is put in must not hold itself.
    other, name = chance.choice(places)
    if name in other if isinstance(other, dict) else isinstance(name, int) and name < len(other):
        holder[key] = json.loads(json.dumps(other[name]))


def _add(holder: Any, key: Any, chance: Random, places: list[tuple[Any, Any]]) -> None:
    if isinstance(holder, dict):
        holder[chance.choice(("type", "error", "index", "id", "name", "text", "delta", "usage", "x"))] = _junk(chance)
    else:
        holder.insert(key, _junk(chance))


_CHANGES: tuple[Callable[[Any, Any, Random, list[tuple[Any, Any]]], None], ...] = (
    _replace,
    _replace,
    _replace,
    _drop,
    _wrap,
    _swap,
    _add,
)


def mutate_bytes(data: bytes, chance: Random) -> bytes:
    """Return ``data`` with one to four pieces of it changed, cut off, repeated or moved."""
    for _ in range(chance.randint(1, 4)):
        a = chance.randrange(len(data) + 1)
        b = min(len(data), a + chance.choice((0, 1, 1, 2, 8, 40)))
        kind = chance.randrange(5)
        if kind == 0 and chance.random() < 0.02:
            # Deeper than any reader goes.
            data = data[:a] + chance.choice((b"[", b'{"a":')) * 3000 + data[a:]
        elif kind == 0:
            data = data[:a]
        elif kind == 1:
            data = data[:a] + chance.choice(_BYTES) + data[b:]
        elif kind == 2:
            data = data[:b] + data[a:]
        elif kind == 3:
            data = data[:a] + data[b:] + data[a:b]
        else:
            data = data[:a] + bytes(chance.randrange(256) for _ in range(b - a)) + data[b:]
    return data
