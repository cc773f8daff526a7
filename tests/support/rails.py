"""Requests under rails without a gateway: the step alone, with a model that says what it is told."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mainstay.core.answer import Answer, Frames, Whole
from mainstay.core.call import Ask, Call, Caller
from mainstay.core.events import Dialect, Event, Finished, FinishReason, Started, TextDelta
from mainstay.core.record import Record
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.guardrails.compile import Instruments, compile_rails
from mainstay.guardrails.config import RailConfig
from mainstay.guardrails.null import NullReviews
from mainstay.guardrails.pictures import Pictures
from mainstay.guardrails.port import Reviews
from mainstay.guardrails.screening import Rails
from mainstay.guardrails.stage import Screen
from mainstay.providers.openai import read_ask

__all__ = ["TARGET", "Guard", "Passed", "body", "rows", "under"]

TARGET = Target("m", "p", "openai", "m")
_MASTER = bytes(range(32))


class Guard:
    """A judge that finds its words; told ``broken``, it fails."""

    window = 40

    def __init__(self, *heads: str, broken: bool = False) -> None:
        self.heads = frozenset(heads)
        self.thresholds = dict.fromkeys(heads, 0.5)
        self.broken = broken
        self.read: list[str] = []

    def judge(self, texts: Sequence[str]) -> list[Mapping[str, float]]:
        if self.broken:
            raise RuntimeError("broken")
        self.read += texts
        return [{head: 0.9 if head in text else 0.1 for head in self.heads} for text in texts]


class Passed:
    """What a call was when it left the step, its answer, and its record."""

    def __init__(self, call: Call, answer: Answer, record: Record) -> None:
        self.call = call
        self.answer = answer
        self.record = record

    @property
    def texts(self) -> list[str]:
        """The texts of the messages."""
        return [getattr(part, "text", "") for one in self.call.ask.prompt.messages for part in one.parts]

    @property
    def said(self) -> str:
        """What the caller reads."""
        assert self.answer.whole is not None
        return "".join(event.text for event in self.answer.whole.events if isinstance(event, TextDelta))

    @property
    def outcomes(self) -> dict[tuple[str, str], str]:
        """What each rail said, by its name and place."""
        return {(one.rail, one.where): one.outcome for one in self.record.verdicts}


def rows(rails: Mapping[str, Mapping[str, Any]]) -> dict[str, RailConfig]:
    return {name: RailConfig.model_validate(row) for name, row in rails.items()}


def body(*messages: tuple[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "r", "messages": [{"role": role, "content": text} for role, text in messages], **fields}


def under(
    rails: Mapping[str, Mapping[str, Any]],
    asked: Mapping[str, Any] | Ask,
    says: Callable[[Call], str | Frames | BaseException] = lambda _: "Fine.",
    *,
    guard: Callable[[str], Any] = Guard,
    read: Callable[[bytes], Ask] = read_ask,
    reviews: Reviews | None = None,
    caller: Caller | None = None,
    reads: bool = False,
    record: Record | None = None,
    home: Path = Path("nowhere"),
    pictures: Pictures | None = None,
) -> Passed:
    """Take a request through the step. ``says`` is asked for the answer to what the model would get."""
    railing = compile_rails("r", rows(rails), Instruments(home, guard), "bcdfg2345hjkm678")
    screen = Screen(None, None, Rails(railing, _MASTER, reviews or NullReviews(), reads=reads, pictures=pictures))
    ask = asked if isinstance(asked, Ask) else read(json.dumps(asked).encode())
    record = record or Record("1", "1", 0)
    call = Call(ask, record, caller or Caller("k"), "r", (), 0.0, 1e9, Timeouts())
    seen: list[Call] = []

    async def onward(passed: Call) -> Answer:
        seen.append(passed)
        said = says(passed)
        if isinstance(said, BaseException):
            raise said
        if not isinstance(said, str):
            return Answer(TARGET, frames=said)
        events: tuple[Event, ...] = (Started("1", "m"), TextDelta(said), Finished(FinishReason.STOP))
        return Answer(TARGET, whole=Whole(b"", Dialect.OPENAI, "1", "m", (FinishReason.STOP,), None, _events=events))

    async def run() -> Answer:
        return await screen(call, onward)

    answer = asyncio.run(run())
    return Passed(seen[0], answer, record)
