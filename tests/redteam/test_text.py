"""The report on a terminal: figures with intervals, and no control character of an answer reaches it."""

import io

from rich.console import Console

from mainstay.redteam.figures import Rate
from mainstay.redteam.gate import Gate
from mainstay.redteam.text import rate_text, show
from support.redteam import summary_of


def shown(**options: object) -> str:
    out = io.StringIO()
    show(summary_of(**options), Console(file=out, width=160))
    return out.getvalue()


def test_rates_have_intervals() -> None:
    assert rate_text(Rate(1, 8)) == "12.5% (2.2 to 47.1)"
    assert rate_text(Rate(0, 0)) == rate_text(None) == "-"


def test_everything_of_note_is_shown() -> None:
    text = shown(gate=Gate(max_success=0.1))
    for part in ("10 cases against assistant", "33.3%", "0.250", "prompt_leak", "LLM07:2025 System Prompt Leakage"):
        assert part in text
    assert "guarded: 1 without an answer, 1 not played." in text
    assert "override-plain.plain.single" in text
    assert "FAILED: Attacks succeed too often: 2 of 6 (33.3%), allowed are 10.0%" in text


def test_no_control_character_reaches_the_terminal() -> None:
    assert not [letter for letter in shown() if not letter.isprintable() and letter != "\n"]
