"""The score card."""

import io
import json

from rich.console import Console

from mainstay.drill.card import is_passed, show, timeline, to_json
from mainstay.drill.faults import FAULTS, Play, Timing
from mainstay.drill.judge import Observation, Score, Verdict
from mainstay.drill.reading import Reply, Said
from mainstay.drill.run import Result
from mainstay.drill.upstream import Seen
from mainstay.drill.wire import Speech

SPEECH = Speech("a", "up-a", 100)


def result(score: Score, number: int = 8, route: str = "assistant") -> Result:
    timing = Timing(headers=300, first_token=8, idle=10, total=60, attempts=4)
    observation = Observation(FAULTS[number - 1], timing, "openai", True, {"mini": SPEECH})
    error = Said("api_error", "upstream_interrupted", "Broke.", event=True)
    observation.replies = [Reply(200, {}, "".join(SPEECH.words[:40]), 0.1, 0.52, error=error, sent=0.01)]
    observation.seen = [Seen("mini", True, 0.02, Play.CUT, streamed=True, broke=0.5, left=0.51)]
    observation.after = Reply(200, {}, SPEECH.text, 0.1, 0.3, complete=True, model="up-a", sent=0.6)
    return Result(route, observation, Verdict(score, () if score is Score.PASS else ("it took [too] long",)))


def printed(*results: Result, verbose: bool = False, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width)
    show(results, console, verbose=verbose)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_what_happened_is_told_in_order() -> None:
    assert timeline(result(Score.PASS).observation) == [
        {"at": 0.01, "who": "caller", "what": "call"},
        {"at": 0.02, "who": "mini", "what": "cut off, broke at 0.50 s, left at 0.51 s"},
        {"at": 0.53, "who": "caller", "what": "200, 40 tokens, then upstream_interrupted"},
        {"at": 0.6, "who": "caller", "what": "next call, all well again"},
        {"at": 0.9, "who": "caller", "what": "200, 60 of 60 tokens, model up-a"},
    ]


def test_a_script_reads_everything() -> None:
    card = json.loads(json.dumps(to_json([result(Score.PASS), result(Score.FAIL)], drilled="this", fast=True)))
    assert (card["ok"], card["drilled"], card["fast"]) == (False, "this", True)
    assert card["scores"] == {"pass": 1, "partial": 0, "safe": 0, "fail": 1}
    row = card["results"][1]
    assert (row["fault"], row["score"], row["mode"], row["reasons"]) == (8, "fail", "stream", ["it took [too] long"])
    assert (row["status"], row["seconds"], len(row["timeline"])) == (200, 0.52, 5)


def test_only_passes_are_a_pass() -> None:
    assert is_passed([result(Score.PASS)])
    for score in (Score.PARTIAL, Score.SAFE, Score.FAIL):
        assert not is_passed([result(Score.PASS), result(score)])


def test_people_see_a_line_each_and_the_story_of_what_did_not_pass() -> None:
    text = printed(result(Score.PASS, 4), result(Score.PARTIAL, 8))
    lines = [line for line in text.splitlines() if line.startswith(("4 ", "8 "))]
    assert ["pass" in lines[0], "partial" in lines[1], "it took [too] long" in lines[1]] == [True] * 3
    assert "8. cut after 40 of 60 tokens (assistant, openai, stream): partial" in text
    assert "0.02 s  mini: cut off" in text
    assert "4. 503 always" not in text
    assert text.rstrip().endswith("1 pass, 1 partial, 0 safe, 0 fail")


def test_verbose_tells_every_story() -> None:
    assert "4. 503 always" in printed(result(Score.PASS, 4), verbose=True)


def test_routes_are_named_where_there_are_several() -> None:
    assert "shop" not in printed(result(Score.PASS, route="shop"))
    several = printed(result(Score.PASS, route="shop"), result(Score.PASS, route="help"))
    assert "shop" in several
    assert "help" in several
