"""The score card: what was found, for a script and for people. Does not know how it was found."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mainstay.drill.judge import Observation, Score
from mainstay.drill.reading import Reply
from mainstay.drill.run import Result

if TYPE_CHECKING:  # rich costs a tenth of a second, which a script does not need
    from rich.console import Console

__all__ = ["is_passed", "show", "timeline", "to_json"]

_COLOURS = {Score.PASS: "green", Score.PARTIAL: "yellow", Score.SAFE: "cyan", Score.FAIL: "red"}
_Event = dict[str, Any]


def is_passed(results: Sequence[Result]) -> bool:
    """Whether every fault was borne as required."""
    return all(result.verdict.score is Score.PASS for result in results)


def to_json(results: Sequence[Result], *, drilled: str, fast: bool) -> dict[str, Any]:
    """Return the card for a script.

    Shape: ``{"ok", "drilled", "fast", "scores": {score: count}, "results": [{"route", "dialect", "mode", "fault",
    "name", "required", "score", "reasons": [...], "status", "seconds", "timeline": [{"at", "who", "what"}]}]}``. Times
    are seconds since the fault began.
    """
    return {
        "ok": is_passed(results),
        "drilled": drilled,
        "fast": fast,
        "scores": _count(results),
        "results": [_row(result) for result in results],
    }


def timeline(seen: Observation) -> list[_Event]:
    """Return what happened, in order: ``at`` seconds, ``who`` (a target, or ``caller``), ``what``."""
    events: list[tuple[float, str, str]] = []
    for reply in (*seen.replies, *((seen.after,) if seen.after is not None else ())):
        events.append((reply.sent, "caller", "call" if reply is not seen.after else "next call, all well again"))
        events.append((reply.sent + reply.ended, "caller", _outcome(reply)))
    for one in seen.seen:
        what = one.play.value + ("" if one.broke is None else f", broke at {one.broke:.2f} s")
        what += "" if one.left is None else f", left at {one.left:.2f} s"
        events.append((one.at, one.target, what))
    ordered = sorted(events, key=lambda event: event[0])
    return [{"at": round(at, 3), "who": who, "what": what} for at, who, what in ordered]


def show(results: Sequence[Result], console: "Console", *, verbose: bool) -> None:
    """Print the card: a line per fault and mode, and the timeline of those that did not pass, or of all."""
    from rich.table import Table
    from rich.text import Text

    many = len({result.route for result in results}) > 1
    table = Table(box=None, pad_edge=False)
    for name in ("fault", "", *(("route",) if many else ()), "dialect", "mode", "score", "seconds", "why"):
        table.add_column(name, no_wrap=name in ("dialect", "mode", "score", "route"))
    for result in sorted(results, key=lambda result: result.observation.fault.number):
        row, score = _row(result), result.verdict.score
        where = (result.route,) if many else ()
        seconds = f"{row['seconds']:.1f}"
        cells = (str(row["fault"]), row["name"], *where, row["dialect"], row["mode"], "", seconds, _why(result))
        table.add_row(*(cell if cell else Text(score.value, style=_COLOURS[score]) for cell in map(_text, cells)))
    console.print(table)
    for result in results:
        if verbose or result.verdict.score is not Score.PASS:
            console.print()
            for line in _story(result):
                console.print(Text(line))
    console.print()
    counts = _count(results)
    console.print(Text(", ".join(f"{counts[score.value]} {score.value}" for score in Score)))


def _text(cell: str) -> Any:
    from rich.text import Text

    return Text(cell) if cell else ""


def _story(result: Result) -> Iterator[str]:
    row = _row(result)
    yield f"{row['fault']}. {row['name']} ({result.route}, {row['dialect']}, {row['mode']}): {row['score']}"
    yield f"   required: {row['required']}"
    for reason in result.verdict.reasons:
        yield f"   {reason}"
    for event in row["timeline"]:
        yield f"   {event['at']:8.2f} s  {event['who']}: {event['what']}"


def _why(result: Result) -> str:
    return result.verdict.reasons[0] if result.verdict.reasons else "-"


def _row(result: Result) -> dict[str, Any]:
    seen, verdict = result.observation, result.verdict
    first = seen.replies[0] if seen.replies else Reply()
    return {
        "route": result.route,
        "dialect": seen.dialect,
        "mode": "stream" if seen.stream else "whole",
        "fault": seen.fault.number,
        "name": seen.fault.name,
        "required": seen.fault.required,
        "score": verdict.score.value,
        "reasons": list(verdict.reasons),
        "status": first.status,
        "seconds": round(max((reply.ended for reply in seen.replies), default=0.0), 3),
        "timeline": timeline(seen),
    }


def _outcome(reply: Reply) -> str:
    if reply.hung:
        return "gave up waiting"
    if not reply.status:
        return "connection closed without an answer"
    words = len(reply.text.split())
    if reply.complete:
        return f"{reply.status}, {words} of 60 tokens, model {reply.model}"
    error = reply.error
    said = "no error" if error is None else error.code or error.type
    return f"{reply.status}, {words} tokens, then {said}" if words else f"{reply.status} {said}"


def _count(results: Sequence[Result]) -> dict[str, int]:
    counted = Counter(result.verdict.score for result in results)
    return {score.value: counted[score] for score in Score}
