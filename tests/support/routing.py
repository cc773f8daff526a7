"""Calls, targets and loads for what decides where a call goes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mainstay.core.call import Call, Caller, Priority
from mainstay.core.clock import monotonic
from mainstay.core.record import Record
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.providers.openai import read_ask

USER = {"role": "user", "content": "x"}


@dataclass
class FixedLoad:
    """A load that says what a test says."""

    first_token: float | None = None
    outstanding: int = 0
    in_flight: int = 0


def make_target(name: str, **fields: Any) -> Target:
    """Return a target named ``name``."""
    return Target(name, f"p-{name}", "openai", name, **fields)


def call_of_bytes(
    raw: bytes,
    *,
    caller: Caller | None = None,
    route: str = "r",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    given: Mapping[bytes, bytes] | None = None,
    hops: int = 0,
    priority: Priority = Priority.STANDARD,
) -> Call:
    """Return a call whose body is ``raw``."""
    started = monotonic()
    record = Record.opened("chat", "POST", "/v1/chat/completions")
    who = caller or Caller("k")
    return Call(
        read_ask(raw),
        record,
        who,
        route,
        headers,
        started,
        started + 10,
        Timeouts(),
        hops=hops,
        priority=priority,
        given=given or {},
    )


def make_call(body: dict[str, Any] | None = None, **options: Any) -> Call:
    """Return a call that asks one user's turn, with the fields of ``body`` besides or instead."""
    return call_of_bytes(json.dumps({"model": "r", "messages": [USER], **(body or {})}).encode(), **options)
