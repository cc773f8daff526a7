"""The control process keeps knowledge as its sources are, and tells what is too old."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mainstay.assembly.bases import Opened, open_knowledge
from mainstay.assembly.tending import Tending
from mainstay.config import Loaded, load_config
from mainstay.core.clock import wall_ms
from mainstay.telemetry.metrics import Slab, exposition

CONFIG = """\
providers: {echo: {kind: echo}}
models: {parrot: {provider: echo}}
knowledge:
  handbook: {embedder: none, sources: [{path: docs, every: 1s}]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Loaded:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "oil.md").write_text("# Oil\n\nThe lantern burns rape oil.\n")
    (tmp_path / "mainstay.yaml").write_text(CONFIG)
    return load_config(tmp_path / "mainstay.yaml", {})


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    made = threading.Event()
    yield made
    made.set()


def opened(loaded: Loaded) -> Opened:
    return open_knowledge(loaded, "mainstay")


def found(loaded: Loaded, said: str) -> bool:
    with opened(loaded) as knowledge:
        return "handbook" in knowledge.names() and bool(knowledge.search("handbook", said).sources)


def test_a_source_is_read_while_it_runs_and_its_changes_too(
    config: Loaded, stop: threading.Event, tmp_path: Path
) -> None:
    tending = Tending(lambda: config, opened)
    thread = threading.Thread(target=tending.run, args=(stop,))
    thread.start()
    ticks = threading.Event()
    try:
        for name, said in (("oil.md", "rape oil"), ("wick.md", "wick of cotton")):
            (tmp_path / "docs" / name).write_text(f"# {name}\n\nThe lantern has {said}.\n")
            for _ in range(600):
                if found(config, said):
                    break
                ticks.wait(0.1)
            assert found(config, said), f"{name} was never read"
    finally:
        stop.set()
        thread.join()


def test_what_is_too_old_is_in_the_metrics(config: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as hour_ago, opened(config) as knowledge:
        hour_ago.setattr("mainstay.grounding.ingest.wall_ms", lambda: wall_ms() - 3_600_000)
        knowledge.add("handbook")
    tending = Tending(lambda: config, opened)
    tending.look()
    slab = Slab(tmp_path / "metrics", "control")
    tending.show(slab)
    lines = dict(
        line.rsplit(" ", 1) for line in exposition(tmp_path / "metrics").decode().splitlines() if "#" not in line
    )
    assert float(lines['mainstay_knowledge_stale_documents{base="handbook"}']) == 1
    assert float(lines['mainstay_knowledge_oldest_source_seconds{base="handbook"}']) >= 3600
    slab.close()
    tending.close()
