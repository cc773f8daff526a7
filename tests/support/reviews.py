"""Requests that wait for a person: handed over as a worker does, and taken in as the control process does."""

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from mainstay.core.call import Call, Caller
from mainstay.core.record import RailVerdict
from mainstay.governance.config import ReviewsConfig
from mainstay.governance.reviews import ReviewQueue
from mainstay.governance.reviews_desk import ReviewDesk
from mainstay.store.sealing import NullSeal, Seal
from support.routing import USER, make_call

__all__ = ["CARD", "ask", "held_call", "open_desk", "open_queue"]

#: What a test's rail finds, unless the test says otherwise.
CARD = {"card": 2}


def held_call(said: str = "x", *, key: str = "key_a", team: str = "web", user: str = "", route: str = "r") -> Call:
    """Return a call that a rail ``cards`` has found something in."""
    body: dict[str, Any] = {"messages": [{**USER, "content": said}]} | ({"user": user} if user else {})
    call = make_call(body, caller=Caller(key, team=team, organisation="shop"), route=route)
    call.record.verdicts = [
        RailVerdict("other", "input"),
        RailVerdict("cards", "input", "held", True, dict(CARD), 0.75),
    ]
    return call


def open_queue(home: Path, seal: Seal | None = None, **rules: Any) -> ReviewQueue:
    """Return reviews as a worker has them."""
    return ReviewQueue(home, seal or NullSeal(), ReviewsConfig(**rules))


def open_desk(engine: Engine, home: Path, seal: Seal | None = None, **rules: Any) -> ReviewDesk:
    """Return reviews as the control process has them."""
    return ReviewDesk(engine, home, lambda: ReviewsConfig(**rules), seal or NullSeal())


def ask(queue: ReviewQueue, said: str = "x", *, rail: str = "cards", digest: str = "", **who: str) -> str:
    """Hand a request over; return the id of its review. The digest is what was said, unless another is given."""
    call = held_call(said, **who)
    return asyncio.run(queue.ask(call, rail, digest or said.encode().hex(), CARD))
