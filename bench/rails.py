"""``python -m bench.rails``: what rails add to a request of 1 KB: microseconds for rules, milliseconds for our models.

The step of the line is measured alone, in one process, with a model that answers at once. Each request has new words,
so that nothing is remembered; reading it is counted, as without rails its bytes may pass unread. One column more shows
what the turns of a conversation cost that were judged before.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from mainstay.core.answer import Answer, Whole
from mainstay.core.call import Call, Caller
from mainstay.core.events import Dialect, Finished, FinishReason, TextDelta
from mainstay.core.record import Record
from mainstay.core.target import Target
from mainstay.core.timeouts import Timeouts
from mainstay.encoders.minilm import is_installed
from mainstay.guardrails.compile import Instruments, compile_rails
from mainstay.guardrails.config import RailConfig
from mainstay.guardrails.null import NullReviews
from mainstay.guardrails.screening import Rails
from mainstay.guardrails.stage import Screen
from mainstay.providers.openai import read_ask

__all__ = ["main", "measure"]

_SENTENCE = "Please write a reply to our customer about the delayed order number {}, and offer a voucher of ten euros. "
_ASKED = ["input", "retrieved", "tool_result"]
_PATTERNS = ["email", "phone", "card", "iban", "ip"]
_RULES: Mapping[str, Mapping[str, Any]] = {
    "words": {"what": "words", "words": ["Project Falcon", "acme"], "do": "block", "where": _ASKED},
    "patterns of one's own": {"what": "pattern", "patterns": ["CUST-[0-9]{6}"], "do": "mask", "where": _ASKED},
    "secrets": {"what": "secrets", "do": "mask", "where": _ASKED},
    "personal data by patterns": {"what": "personal", "kinds": _PATTERNS, "do": "mask"},
    "the same, behind pseudonyms": {"what": "personal", "kinds": _PATTERNS, "do": "pseudonymise"},
    "injections by rules": {"what": "injection", "method": "rules", "do": "block"},
    "personal data with names": {"what": "personal", "do": "mask"},
}
_MODELS: Mapping[str, Mapping[str, Any]] = {
    "profanity": {"what": "profanity", "do": "block", "where": "input"},
    "injection": {"what": "injection", "do": "block"},
    "moderation": {"what": "moderation", "do": "block", "where": "input"},
    "injection, noted beside the call": {"what": "injection", "do": "flag"},
}
_TARGET = Target("m", "p", "openai", "m")


async def _onward(_: Call) -> Answer:
    events = (TextDelta("Fine."), Finished(FinishReason.STOP))
    return Answer(_TARGET, whole=Whole(b"{}", Dialect.OPENAI, "1", "m", (FinishReason.STOP,), None, _events=events))


def _call(number: int, size: int) -> Call:
    text = "".join(_SENTENCE.format(number * 100 + at) for at in range(size // len(_SENTENCE) + 1))[:size]
    body = json.dumps({"model": "r", "messages": [{"role": "user", "content": text}]})
    return Call(read_ask(body.encode()), Record("1", "1", 0), Caller("k"), "r", (), 0.0, 1e9, Timeouts())


def measure(rails: Mapping[str, Mapping[str, Any]], instruments: Instruments, times: int, size: int) -> list[float]:
    """Return the seconds that each of ``times`` calls with ``size`` characters took, with the same calls again after
    them."""
    rows = {f"rail{number}": RailConfig.model_validate(row) for number, row in enumerate(rails.values())}
    screen = Screen(None, None, Rails(compile_rails("r", rows, instruments), bytes(32), NullReviews()))

    async def run() -> list[float]:
        taken = []
        for number in [-1, *range(times), *range(times)]:
            call = _call(number, size)
            began = time.perf_counter()
            await screen(call, _onward)
            taken.append(time.perf_counter() - began)
        return taken[1:]

    return asyncio.run(run())


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.rails", description=__doc__)
    parser.add_argument("--times", type=int, default=300, help="calls of each row")
    parser.add_argument("--size", type=int, default=1000, help="characters of a request")
    given = parser.parse_args(arguments)
    missed = 0
    with tempfile.TemporaryDirectory() as home:
        instruments = Instruments(Path(home))
        print(f"added to a request of {given.size} characters, median of {given.times} (µs)")
        rules = {**{name: {name: row} for name, row in _RULES.items()}}
        usual = {name: row for name, row in _RULES.items() if name in ("words", "secrets", "personal data by patterns")}
        for name, rows in {"no rail finds anything to do": {}, **rules, "words, secrets and patterns": usual}.items():
            middle = median(measure(rows, instruments, given.times, given.size)) * 1e6
            goal = "" if "names" in name or not rows else "  goal 100"
            missed += bool(goal) and middle > 100
            print(f"  {name:36}{middle:10.0f}{goal}")
        if not is_installed():
            print("the models need: pip install 'mainstay[guards]'")
            return 1
        print(f"models, median of {given.times // 10} (ms), and for what was judged before")
        for name, row in _MODELS.items():
            times = max(3, given.times // 10)
            taken = measure({name: row}, instruments, times, given.size)
            first, again = median(taken[:times]) * 1e3, median(taken[times:]) * 1e3
            missed += first > 20
            print(f"  {name:36}{first:10.1f}{again:10.2f}  goal 20")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
