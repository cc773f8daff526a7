"""A line holds what its route configures, in the one order, and nothing else."""

import asyncio
from typing import Any

import pytest

from mainstay.core.answer import Answer
from mainstay.core.errors import Internal
from mainstay.core.target import Target
from mainstay.line import line
from mainstay.line.line import compile_line

CALL: Any = object()
ANSWER = Answer(Target("m", "p", "echo", "m"))


class Noting:
    """A stage that writes down that it ran."""

    seen: list[str]

    async def __call__(self, call: Any, onward: Any) -> Answer:
        self.seen.append(type(self).__name__)
        return await onward(call)  # type: ignore[no-any-return]  # the real line says so


class First(Noting):
    pass


class Second(Noting):
    pass


class Last(Noting):
    async def __call__(self, call: Any, onward: Any) -> Answer:
        self.seen.append("Last")
        return ANSWER


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(line, "LINE", (First, Second, Last))
    Noting.seen = []
    return Noting.seen


def test_stages_run_in_the_order_of_the_line_however_they_are_given(seen: list[str]) -> None:
    run = compile_line((Last(), First(), Second()))
    assert asyncio.run(run(CALL)) is ANSWER  # type: ignore[arg-type]  # a line's function is a coroutine function
    assert seen == ["First", "Second", "Last"]


def test_a_stage_that_is_not_configured_is_not_there(seen: list[str]) -> None:
    asyncio.run(compile_line((Last(), First()))(CALL))  # type: ignore[arg-type]  # as above
    assert seen == ["First", "Last"]


def test_a_line_without_an_end_says_so(seen: list[str]) -> None:
    with pytest.raises(Internal):
        asyncio.run(compile_line((First(),))(CALL))  # type: ignore[arg-type]  # as above


def test_a_stage_that_is_not_on_the_line_is_refused(seen: list[str]) -> None:
    with pytest.raises(AssertionError, match="not on the line"):
        compile_line((line.Observe(),))
