"""What a kind of engine is: something that turns configuration rows into programs to run and addresses to call."""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from mainstay.core.ports import Origin
from mainstay.core.target import TALKS, Feature, Operation
from mainstay.runtime.children import Program

__all__ = ["Engine", "EngineAddress", "EngineRow"]


class EngineAddress(msgspec.Struct, frozen=True):
    """How to call one engine: where it listens, the key it wants, what its model cannot do, and the window of a call.

    ``context`` is in tokens, prompt and answer together; ``operations`` is what it can be asked.
    """

    origin: Origin
    api_key: str
    lacks: frozenset[Feature]
    context: int
    operations: frozenset[Operation] = TALKS


class EngineRow(Protocol):
    """One model of ours, as written in the configuration."""

    @property
    def model(self) -> str:
        """A bundled model's name, or the absolute path of a model file."""
        ...

    @property
    def context(self) -> int:
        """Tokens of one call, prompt and answer together."""
        ...

    @property
    def parallel(self) -> int:
        """Calls answered at the same time."""
        ...

    @property
    def threads(self) -> int:
        """Processor threads; 0 lets the engine choose."""
        ...

    @property
    def pooling(self) -> str:
        """How vectors are made: as the file says (``auto``), or in llama.cpp's words."""
        ...

    @property
    def start_timeout(self) -> float:
        """Seconds until it must be ready."""
        ...


class Engine(Protocol):
    """Every engine of one kind, as the configuration has them."""

    def programs(self) -> tuple[Program, ...]:
        """Return what to run, one program per engine, named as its provider row."""
        ...

    def addresses(self) -> Mapping[str, EngineAddress]:
        """Return how to call each engine, by the name of its provider row."""
        ...
