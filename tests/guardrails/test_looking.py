"""Texts under rails: in threads, in windows, remembered, and in time."""

import asyncio
import threading
from collections.abc import Mapping, Sequence

import pytest

from mainstay.core.record import RailVerdict
from mainstay.guardrails import looking
from mainstay.guardrails.looking import Memory, Seen, Sight, judge_all, place_of, scan_all, windows
from mainstay.guardrails.port import Finding
from mainstay.guardrails.rails import Rail, Trace
from support.rails import Guard


class Eye:
    """A scanner that finds every x and says in which thread it looked."""

    kinds = frozenset({"x"})
    reach = 1

    def __init__(self) -> None:
        self.threads: list[int] = []

    def scan(self, text: str) -> Sequence[Finding]:
        self.threads.append(threading.get_ident())
        return [Finding(at, at + 1, "x") for at, sign in enumerate(text) if sign == "x"]


def rail(name: str = "r", **fields: object) -> Rail:
    return Rail(name, "words", frozenset({"input"}), "block", **fields)  # type: ignore[arg-type]  # as given


def scan(rails: Sequence[Rail], texts: Sequence[Seen]) -> tuple[Sight, list[RailVerdict]]:
    sight, verdicts = Sight(), list[RailVerdict]()
    asyncio.run(scan_all(rails, texts, Trace(verdicts), sight))
    return sight, verdicts


def judge(rails: Sequence[Rail], texts: Sequence[Seen]) -> tuple[Sight, list[RailVerdict]]:
    sight, verdicts = Sight(), list[RailVerdict]()
    asyncio.run(judge_all(rails, range(len(rails)), texts, Trace(verdicts), sight))
    return sight, verdicts


def test_rails_that_share_a_scanner_have_it_look_once() -> None:
    eye = Eye()
    sight, verdicts = scan([rail("a", scanner=eye), rail("b", scanner=eye)], [Seen("axb", ("input",), "0.0")])
    assert len(eye.threads) == 1
    assert sight.found == {0: {0: [Finding(1, 2, "x")]}, 1: {0: [Finding(1, 2, "x")]}}
    assert [one.kinds for one in verdicts] == [{"x": 1}, {"x": 1}]


def test_long_texts_are_scanned_in_a_thread() -> None:
    eye = Eye()
    scan([rail(scanner=eye)], [Seen("x", ("input",)), Seen("y" * 40_000, ("input",))])
    here, there = eye.threads
    assert here == threading.get_ident() != there


def test_what_hangs_has_failed_after_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    class Hanging(Guard):
        def judge(self, texts: Sequence[str]) -> list[Mapping[str, float]]:
            let_go.wait(30)
            return []

    monkeypatch.setattr(looking, "_PATIENCE", 0.01)

    async def run() -> Sight:
        sight = Sight()
        work = judge_all([rail(judge=Hanging("x"))], [0], [Seen("x", ("input",))], Trace([]), sight)
        await work
        let_go.set()
        return sight

    assert asyncio.run(run()).failed == [0]


def test_a_rail_looks_only_where_it_is_told_to() -> None:
    text = Seen("x", ("retrieved", "input"))
    assert place_of(rail(scanner=Eye()), text) == "input"
    assert place_of(rail(scanner=Eye()), Seen("x", ("tool_result",))) is None
    assert place_of(rail(scanner=Eye()), Seen("x", ("input",), asked=True)) is None
    assert place_of(rail(judge=Guard("x")), Seen("x", ("input",), judged=False)) is None


def test_windows_cover_a_text_and_overlap() -> None:
    text = "".join(chr(97 + at % 26) for at in range(103))
    cut = windows(text, 40)
    assert all(len(piece) <= 40 and text[start : start + len(piece)] == piece for start, piece in cut)
    assert {at for start, piece in cut for at in range(start, start + len(piece))} == set(range(103))
    assert all(cut[n + 1][0] - cut[n][0] <= 36 for n in range(len(cut) - 1))
    assert len(cut) == 3
    assert windows("  ", 40) == []


def test_a_finding_of_a_judge_is_the_window_that_it_read() -> None:
    sight, verdicts = judge(
        [rail(judge=Guard("bad"), thresholds={"bad": 0.5})], [Seen("ok " * 20 + "bad", ("input",), "0.0")]
    )
    (finding,) = sight.found[0][0]
    assert (finding.kind, finding.score) == ("bad", 0.9)
    assert verdicts[0].score == 0.9
    assert "bad" in ("ok " * 20 + "bad")[finding.start : finding.end]


def test_what_was_judged_is_not_judged_again() -> None:
    guard = Guard("bad")
    memory = Memory(guard)
    assert memory.remembered(["a"]) is None
    first = memory.judge(["a", "bad", "a"])
    assert guard.read == ["a", "bad"]
    assert memory.remembered(["bad", "a"]) == [first[1], first[0]]
    memory.judge(["a", "c"])
    assert guard.read == ["a", "bad", "c"]


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "_REMEMBERED", 3)
    memory = Memory(Guard("bad"))
    memory.judge(["a", "b", "c"])
    assert memory.judge(["d", "a"])
    assert memory.remembered(["d"]) is not None
    assert memory.remembered(["b"]) is None


def test_a_judge_that_fails_is_told_at_every_place() -> None:
    both = Rail("r", "words", frozenset({"input", "retrieved"}), "block", judge=Guard("x", broken=True))
    sight, verdicts = judge([both], [Seen("a", ("input",)), Seen("b", ("retrieved",))])
    assert sight.failed == [0]
    assert {(one.where, one.outcome) for one in verdicts} == {("input", "failed"), ("retrieved", "failed")}
