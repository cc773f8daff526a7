"""The bench of rails measures the step that the gateway runs."""

from pathlib import Path

from bench.rails import measure

from mainstay.guardrails.compile import Instruments


def test_every_call_is_measured_and_asked_again(tmp_path: Path) -> None:
    rails = {"words": {"what": "words", "words": ["voucher"], "do": "mask", "where": "input"}}
    taken = measure(rails, Instruments(tmp_path), 3, 200)
    assert len(taken) == 6
    assert all(seconds > 0 for seconds in taken)
