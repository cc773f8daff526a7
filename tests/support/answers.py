"""Kept answers for tests of what keeps them."""

import time
from typing import Any

from mainstay.caching.port import Entry
from mainstay.core.events import Event, Finished, FinishReason, Metered, Started, TextDelta
from mainstay.core.usage import Usage

__all__ = ["make_entry", "plain"]

USAGE = Usage(input=9, output=3)


def plain(text: str = "Paris.", reason: FinishReason = FinishReason.STOP) -> tuple[Event, ...]:
    """Return the events of a plain answer."""
    return (Started("chatcmpl-1", "gpt", 1_700_000_000, "fp"), TextDelta(text), Finished(reason), Metered(USAGE))


def make_entry(text: str = "Paris.", **fields: Any) -> Entry:
    """Return a kept answer that is good for an hour, with ``fields`` on top."""
    now = time.time()
    known: dict[str, Any] = {
        "source": "rec-1",
        "route": "chat",
        "organisation": "shop",
        "team": "blue",
        "model": "m",
        "provider": "p",
        "vendor": "openai",
        "upstream": "gpt",
        "made": now,
        "expires": now + 3600,
        "events": plain(text),
        "usage": USAGE,
    }
    return Entry(**{**known, **fields})
