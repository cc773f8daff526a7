"""The verdict on one fault: from what the caller got, what the provider saw and what the record says, to a score.

Pure. ``pass``: the required behaviour, inside every bound. ``partial``: the caller was answered rightly, but a bound
was passed or a promise of the gateway's contract broken. ``safe``: a clean error where an answer was required.
``fail``: a truncated or doubled answer taken for a success, a hang, a shape that breaks clients, an empty success, a
secret told.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil
from typing import Any

from mainstay.drill.caller import Dialect
from mainstay.drill.faults import Fault, Play, Timing, Want
from mainstay.drill.reading import Reply
from mainstay.drill.upstream import Seen
from mainstay.drill.wire import Speech

__all__ = ["Observation", "Score", "Verdict", "judge"]

_WINDOW = 3.0
#: A word of a scripted answer: who says it, and the how manieth it is.
_WORD = re.compile(r"([a-z]+)([0-9]{2})")
_FILTER_CODES = ("content_filter", "content_policy_violation")
#: Plays whose usage a gateway has to estimate on OpenAI's wire: it was never told.
_UNTOLD = (Play.NO_END_MARK,)


class Score(StrEnum):
    """How a fault was borne, from best to worst."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    PARTIAL = "partial"
    SAFE = "safe"
    FAIL = "fail"


@dataclass(slots=True)
class Observation:
    """Everything known about one fault as it was played once.

    ``replies`` are the calls made while the fault lasted (one, but for fault 15), ``after`` a call made when all was
    well again. ``speeches`` maps each target to what it says, ``records`` each request id to its record as
    ``mainstay records`` prints it. Times in ``seen`` and ``Reply.sent`` are on one clock.
    """

    fault: Fault
    timing: Timing
    dialect: Dialect
    stream: bool
    speeches: dict[str, Speech]
    replies: list[Reply] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    after: Reply | None = None
    records: dict[str, dict[str, Any]] | None = None
    #: What the route says when every model failed, or "".
    last_resort: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A score and why it is not better: one phrase each, the gravest first."""

    score: Score
    reasons: tuple[str, ...] = ()


def judge(seen: Observation) -> Verdict:
    """Return the verdict on one fault."""
    failed = [*_failures(seen)]
    if failed:
        return Verdict(Score.FAIL, tuple(failed))
    late = [*_broken_bounds(seen), *_broken_promises(seen)]
    unanswered = _unanswered(seen)
    if unanswered:
        return Verdict(Score.SAFE, (*unanswered, *late))
    return Verdict(Score.PARTIAL if late else Score.PASS, tuple(late))


# What is never allowed.


def _failures(seen: Observation) -> Iterator[str]:
    if not seen.replies:
        yield "no call was made"
    for reply in seen.replies:
        yield from _wrongs(reply, seen)
        if seen.fault.want is Want.FILTER_ERROR and reply.complete and not seen.timing.around_filter:
            yield "went around the content filter"
    after = seen.after
    if after is not None:
        wrong = [*_wrongs(after, seen)]
        if wrong or not after.complete:
            said = wrong[0] if wrong else f"status {after.status}"
            yield f"the next call, with all well again, did not work: {said}"


def _wrongs(reply: Reply, seen: Observation) -> Iterator[str]:
    """Yield what makes an answer worse than no answer."""
    if reply.hung:
        yield f"no end within {reply.ended:.1f} s"
        return
    if not reply.status:
        yield "the connection was closed without an answer"
        return
    yield from reply.problems
    texts = {speech.text for speech in seen.speeches.values()}
    if seen.last_resort and reply.text == seen.last_resort:
        return
    if reply.text and not any(text.startswith(reply.text) for text in texts):
        yield _strange(reply.text, seen)
    elif reply.complete and not reply.text:
        yield "a success with nothing in it"
    elif reply.complete and reply.text not in texts:
        yield f"{_count(reply.text)} of 60 tokens were presented as a whole answer"
    elif not reply.complete and reply.error is None and not reply.problems:
        yield _ending(reply)
    elif reply.complete and reply.error is not None:
        yield "an error event and a clean end"


def _strange(text: str, seen: Observation) -> str:
    words = _WORD.findall(text)
    if len(set(words)) < len(words):
        return "text was delivered twice"
    tags = {tag for tag, _ in words}
    known = {speech.tag for speech in seen.speeches.values()}
    return "two answers were mixed" if len(tags) > 1 and tags <= known else "the text is not what any model said"


def _ending(reply: Reply) -> str:
    if not reply.text:
        return f"status {reply.status} with nothing in it"
    return f"the answer ended after {_count(reply.text)} of 60 tokens, without an error"


def _count(text: str) -> int:
    return len(_WORD.findall(text))


# What was required.


def _unanswered(seen: Observation) -> list[str]:
    """Return why the required answer did not come, where a clean error came instead."""
    want, reply = seen.fault.want, seen.replies[0]
    if seen.last_resort and any(one.text == seen.last_resort for one in seen.replies):
        return ["the route's last resort instead of a model's answer"]
    if want is Want.ALL_ANSWERED:
        lost = [one for one in seen.replies if not one.complete]
        return [f"{len(lost)} of {len(seen.replies)} calls got an error ({_said(lost[0])})"] if lost else []
    if reply.complete:
        return []
    if want is Want.FILTER_ERROR:
        return [] if _is_filter_error(reply, seen.dialect) else [f"{_said(reply)} does not name the content filter"]
    if want is Want.CONTEXT_ERROR and _is_context_error(reply, seen.dialect):
        return []
    told = reply.error is not None and "prefill" in reply.error.message
    if want is Want.ANSWER_OR_EVENT and reply.text and seen.timing.interrupted != "hold" and not told:
        return []
    if told:
        return [f"the caller is told of the refused prefill, not of the first cause ({_said(reply)})"]
    return [f"an error instead of an answer ({_said(reply)})"]


def _said(reply: Reply) -> str:
    error = reply.error
    code = (error.code or error.type) if error is not None else "nothing"
    return f"an event, {code}" if error is not None and error.event else f"{reply.status} {code}"


def _is_context_error(reply: Reply, dialect: Dialect) -> bool:
    error = reply.error
    if error is None or reply.status != 400:
        return False
    # Anthropic's wire has no code for it: the type, and words that its clients look for.
    return error.code == "context_length_exceeded" or (dialect == "anthropic" and error.type == "invalid_request_error")


def _is_filter_error(reply: Reply, dialect: Dialect) -> bool:
    error = reply.error
    if error is None or reply.status != 400:
        return False
    return error.code in _FILTER_CODES or (dialect == "anthropic" and error.type == "invalid_request_error")


# The bounds.


def _broken_bounds(seen: Observation) -> Iterator[str]:
    fault, timing = seen.fault, seen.timing
    if fault.want is Want.ALL_ANSWERED:
        yield from _outage_bounds(seen)
        return
    reply = seen.replies[0]
    calls = [one for one in seen.seen if one.at <= reply.sent + reply.ended]
    primary = [one for one in calls if one.primary]
    fewest, most = fault.primary
    stays = fault.stays
    if Play.LIMITED in fault.first and timing.retry_after > timing.patience:
        # Longer than the route waits: its other models answer, and this one is left alone.
        fewest = most = 1
        stays = False
    if any(one.play is Play.GARBLED and not one.streamed for one in primary):
        # A whole answer that is no JSON delivered nothing: it is asked for again.
        most += 1
    if len(primary) > most:
        yield f"{len(primary)} calls of the primary (at most {most})"
    if len(primary) < fewest:
        yield f"{_times(len(primary))} of the primary, which would have answered the next (expected {fewest})"
    allowed = min(timing.attempts, fault.calls if fault.calls and not timing.around_filter else timing.attempts)
    if len(calls) > allowed:
        yield f"{len(calls)} upstream calls (at most {allowed})"
    if Play.LIMITED in fault.first:
        yield from _early(seen, timing.retry_after)
    if fault.burst:
        yield from _bursts(primary, fault.burst)
    if stays and reply.complete and len(primary) >= fewest and not any(_spoke(reply, one, seen) for one in primary):
        yield "another model answered"
    yield from _slow(reply, calls, seen)


def _times(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"


def _spoke(reply: Reply, one: Seen, seen: Observation) -> bool:
    return seen.speeches[one.target].text == reply.text


def _early(seen: Observation, wait: float) -> Iterator[str]:
    """Every later call of the primary, the healthy one after the fault too, must wait for the clock."""
    limited = next((one.at for one in seen.seen if one.play is Play.LIMITED), None)
    if limited is None:
        return
    gaps = [one.at - limited for one in seen.seen if one.primary and one.at > limited]
    if gaps and min(gaps) < 0.9 * wait:
        yield f"asked again after {min(gaps):.1f} s (retry-after said {wait:g})"


def _bursts(primary: Sequence[Seen], most: int) -> Iterator[str]:
    times = [one.at for one in primary]
    densest = max((sum(1 for at in times if begin <= at < begin + _WINDOW) for begin in times), default=0)
    if densest > most:
        yield f"{densest} calls of the primary within {_WINDOW:g} s (at most {most})"


def _slow(reply: Reply, calls: Sequence[Seen], seen: Observation) -> Iterator[str]:
    fault, timing = seen.fault, seen.timing
    broke = [one.broke for one in calls if one.broke is not None]
    if reply.error is not None and reply.error.event and broke:
        after = reply.sent + reply.ended - max(broke)
        most = fault.event(timing) + timing.slack
        if after > most:
            yield f"the error event came {after:.1f} s after the break (at most {most:.1f})"
        return
    most = fault.seconds(timing) + timing.slack
    if reply.ended > most:
        yield f"took {reply.ended:.1f} s (at most {most:.1f})"


def _outage_bounds(seen: Observation) -> Iterator[str]:
    timing = seen.timing
    down = [one for one in seen.seen if one.play is Play.OUTAGE]
    # To open, and from then on one probe in each interval at its shortest.
    most = seen.fault.primary[1] + ceil(timing.down / timing.probe)
    if len(down) > most:
        during = sum(1 for reply in seen.replies if reply.sent < timing.down)
        yield f"{len(down)} calls of the primary while it was down, for {during} requests (at most {most})"
    back = next((one.at for one in seen.seen if one.primary and one.play is Play.HEALTHY), None)
    if not timing.returns:
        pass
    elif back is None:
        yield f"the traffic did not return to the primary within {timing.back:g} s"
    elif back - timing.down > timing.back + timing.slack:
        yield f"the traffic returned after {back - timing.down:.1f} s (at most {timing.back:g})"
    most_each = seen.fault.seconds(timing) + timing.slack
    slowest = max(reply.ended for reply in seen.replies)
    if slowest > most_each:
        yield f"a call took {slowest:.1f} s (at most {most_each:.1f})"


# The promises of the contract.


def _broken_promises(seen: Observation) -> Iterator[str]:
    said: dict[str, None] = {}
    for number, reply in enumerate(seen.replies):
        begin = reply.sent
        end = seen.replies[number + 1].sent if number + 1 < len(seen.replies) else begin + reply.ended
        calls = [one for one in seen.seen if begin <= one.at <= end]
        for reason in (*reply.lacks, *_wrong_names(reply, calls, seen), *_wrong_error(reply, seen)):
            said[reason] = None
        if seen.records is not None:
            said |= dict.fromkeys(_wrong_record(reply, calls, seen.records.get(reply.request_id)))
    yield from said


def _wrong_names(reply: Reply, calls: Sequence[Seen], seen: Observation) -> Iterator[str]:
    """Model, usage and headers must be those of the target whose words were delivered."""
    if reply.text:
        speakers = [one for one in calls if seen.speeches[one.target].text.startswith(reply.text)]
        spoke = next((one for one in speakers if seen.speeches[one.target].upstream == reply.model), None)
        if spoke is None and speakers:
            name = seen.speeches[speakers[-1].target].upstream
            yield f"the answer names the model '{reply.model}', but '{name}' served"
        elif spoke is not None:
            named = reply.headers.get("x-mainstay-model", spoke.target)
            if named != spoke.target:
                yield f"x-mainstay-model is '{named}', but '{spoke.target}' served"
            # What two models wrote of one resumed answer has no single right count.
            resumed = seen.timing.interrupted == "resume" and any(one.broke is not None for one in calls)
            if reply.complete and not resumed:
                yield from _wrong_usage(reply.usage, spoke, seen.speeches[spoke.target])
    attempts = reply.headers.get("x-mainstay-attempts", "")
    before = sum(1 for one in calls if reply.first is None or one.at <= reply.sent + reply.first)
    if attempts.isdigit() and int(attempts) != before:
        yield f"x-mainstay-attempts says {attempts}, the provider saw {before}"


def _wrong_usage(usage: tuple[int, int] | None, spoke: Seen, speech: Speech) -> Iterator[str]:
    if usage is None or min(usage) < 0 or sum(usage) == 0:
        yield "the answer has no usage"
    elif usage != (speech.input, speech.output) and spoke.play not in _UNTOLD:
        yield f"usage is {usage[0]} + {usage[1]} tokens, the model reported {speech.input} + {speech.output}"


def _wrong_error(reply: Reply, seen: Observation) -> Iterator[str]:
    error = reply.error
    if error is None:
        return
    if error.event and seen.fault.want is Want.ANSWER_OR_EVENT and error.code not in ("upstream_interrupted", ""):
        yield f"the error event's code is {error.code} (expected upstream_interrupted)"
    told = any(one.play is Play.FILTERED and one.kind == "openai" for one in seen.seen)
    if told and not error.categories and error.code in _FILTER_CODES:
        yield "the categories of the content filter did not reach the caller"


def _wrong_record(reply: Reply, calls: Sequence[Seen], record: dict[str, Any] | None) -> Iterator[str]:
    if record is None:
        yield "there is no record of the call"
        return
    attempts = record.get("attempts") or []
    if len(attempts) != len(calls):
        yield f"the record lists {len(attempts)} attempts, the provider saw {len(calls)}"
    if any(not attempt.get("cause") or not attempt.get("outcome") for attempt in attempts):
        yield "the record has an attempt without cause or outcome"
    if (record.get("outcome") == "ok") != reply.complete:
        yield f"the record says '{record.get('outcome')}'"
    if reply.complete and attempts and sum(1 for one in attempts if one.get("outcome") == "ok") != 1:
        yield "the record does not say which attempt answered"
    usage = record.get("usage") or {}
    if reply.complete and reply.usage is not None and usage:
        counted, told = (usage.get("input"), usage.get("output")), reply.usage
        if counted != told:
            yield f"the record counts {counted[0]} + {counted[1]} tokens, the answer {told[0]} + {told[1]}"
