"""A step on the line."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from mainstay.core.answer import Answer
from mainstay.core.call import Call

__all__ = ["Onward", "Stage"]

#: The rest of the line, as one function.
Onward = Callable[[Call], Awaitable[Answer]]


class Stage(Protocol):
    """Does its one thing to a call going in or an answer coming out, and hands on to ``onward`` in between.

    A stage may answer by itself, raise a ``MainstayError``, call ``onward`` with a changed call, or wrap the answer's
    frames. It must not hold a call's state anywhere but in local variables.
    """

    def __call__(self, call: Call, onward: Onward) -> Awaitable[Answer]: ...
