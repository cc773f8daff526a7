import io
from typing import Any

import pytest
from rich.console import Console

from mainstay.planning.answer import answer
from mainstay.planning.config import Scenario
from mainstay.planning.memory import fit
from mainstay.planning.text import memory_parts, show_answer, show_fit, span
from mainstay.planning.throughput import Interval


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=120)


def _said(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_estimate_comes_with_its_interval() -> None:
    assert span(Interval(755, 1127, 1575)) == "1,127 (755 to 1,575)"
    assert span(Interval(0.1, 0.2, 0.3), ".1f", "ms") == "0.2 ms (0.1 to 0.3)"


def test_the_parts_of_memory_are_the_whole_device(replica: Any) -> None:
    found = fit(replica("llama-3.1-8b"), context=8192)
    assert sum(gib for _, gib in memory_parts(found)) == pytest.approx(found.memory_gib)


def test_a_report_says_it_in_a_sentence_then_in_tables_and_pictures(console: Console) -> None:
    scenario = Scenario.model_validate(
        {
            "question": "Build?",
            "model": {"name": "llama-3.3-70b", "precision": "fp8", "gpu": "H100"},
            "traffic": {"requests_per_day": 200_000},
            "buy": {"name": "Vendor", "price": {"input": 2, "output": 8}},
        }
    )
    show_answer(console, answer(scenario))
    said = _said(console)
    for part in (
        "Build?",
        "cheaper at this volume",
        "FITS",
        "replicas",
        "Dollars a month",
        "Break-even",
        "●",
        "payback",
    ):
        assert part in said
    assert "[bold" not in said


def test_what_does_not_fit_says_why(console: Console, replica: Any) -> None:
    show_fit(console, "it", fit(replica("llama-3.3-70b"), context=8192))
    assert _said(console).startswith("NO  it. Weights and engine need")
