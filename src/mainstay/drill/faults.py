"""The catalogue: sixteen ways an upstream fails, what the gateway must do about each, and within which bounds.

Pure data and the formulas of the bounds. Does not know how a fault is played on the wire, nor how verdicts are found.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["FAULTS", "Fault", "Play", "Timing", "Want"]


class Play(StrEnum):
    """What a scripted target does with one call."""

    HEALTHY = "healthy"
    LIMITED = "429, retry-after"
    LIMITED_BARE = "429"
    FAILED = "500"
    UNAVAILABLE = "503"
    RESET = "reset"
    SILENT = "silence"
    LATE = "late first token"
    CUT = "cut off"
    CUT_CLEAN = "cut off, clean end"
    STALLED = "stalled"
    GARBLED = "invalid JSON"
    NO_END_MARK = "no end mark"
    TOO_LONG = "400 context length"
    FILTERED = "400 content filter"
    #: Unavailable while the outage of fault 15 lasts, healthy afterwards.
    OUTAGE = "outage"
    #: Healthy, but answers 400 when the conversation ends in words of the assistant.
    NO_PREFILL = "no prefill"


class Want(StrEnum):
    """What the caller must end up with."""

    ANSWER = "a whole answer"
    #: On a stream that had begun, a clean error event does as well.
    ANSWER_OR_EVENT = "a whole answer, or a clean error event"
    #: A target with a larger window may answer instead.
    CONTEXT_ERROR = "the context length error, or an answer"
    FILTER_ERROR = "the content filter error"
    #: Every call of a series answered, and the traffic back on the primary.
    ALL_ANSWERED = "every call answered"


@dataclass(frozen=True, slots=True)
class Timing:
    """What the bounds are made of: the route's own settings and the drill's pace; all in seconds.

    ``attempts`` counts every upstream call that one request may lead to. ``answer`` is what a healthy scripted answer
    takes, ``slack`` what a busy machine may add to any bound.
    """

    headers: float
    first_token: float
    idle: float
    total: float
    attempts: int
    interrupted: str = "error"
    #: The longest ``retry-after`` that the route waits for; beyond it, fail-over at once is right.
    patience: float = 3.0
    #: Whether the route asks another model when a content filter refused.
    around_filter: bool = False
    #: Whether the route's order brings the traffic back to a primary that is well again.
    returns: bool = True
    answer: float = 0.3
    slack: float = 1.0
    #: What ``retry-after`` says in fault 1.
    retry_after: float = 2.0
    #: Fault 15: how long the primary is down, how often a call is made, the longest the traffic may stay away.
    down: float = 60.0
    every: float = 4.0
    back: float = 30.0
    #: Fault 7: how late the first token is, at least.
    late: float = 20.0

    @property
    def silence(self) -> float:
        """How long an upstream that says nothing may be waited for."""
        return min(self.headers, self.first_token)

    @property
    def lateness(self) -> float:
        """How late the first token of fault 7 is: far beyond the limit."""
        return max(self.late, self.first_token * 2.5)

    @property
    def probe(self) -> float:
        """The shortest time between two probes of a target that is down: a breaker's first open time."""
        return 5.0


_Seconds = Callable[[Timing], float]


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``first`` is what the primary does with its first calls, ``then`` with all others.

    ``primary`` are the fewest and the most calls it may see for one request; ``seconds`` is how long the caller may
    wait for the whole answer, or for an error before the answer began. When an answer that had begun broke,
    ``event`` is how long after the break the error event may come.
    """

    number: int
    name: str
    required: str
    then: Play
    want: Want
    primary: tuple[int, int]
    seconds: _Seconds
    first: tuple[Play, ...] = ()
    fallback: Play = Play.HEALTHY
    event: _Seconds = lambda _: 1.0
    #: The most calls of the primary in any three seconds; 0 for no such bound.
    burst: int = 0
    #: Whether the answer must be the primary's own.
    stays: bool = False
    #: The most upstream calls in all; 0 for the route's own ``attempts``.
    calls: int = 0


FAULTS: tuple[Fault, ...] = (
    Fault(
        1,
        "429 with retry-after, then healthy",
        "wait at least that long, then ask the same model again",
        first=(Play.LIMITED,),
        then=Play.HEALTHY,
        want=Want.ANSWER,
        primary=(2, 2),
        stays=True,
        seconds=lambda t: t.retry_after + 1 + t.answer,
    ),
    Fault(
        2,
        "429 always, no header",
        "back off, then fail over; never hammer",
        then=Play.LIMITED_BARE,
        want=Want.ANSWER,
        primary=(1, 3),
        burst=4,
        seconds=lambda t: 5 + t.answer,
    ),
    Fault(
        3,
        "500 once",
        "ask the same model again, once",
        first=(Play.FAILED,),
        then=Play.HEALTHY,
        want=Want.ANSWER,
        primary=(2, 2),
        stays=True,
        seconds=lambda t: 1 + t.answer,
    ),
    Fault(
        4,
        "503 always",
        "back off, then fail over",
        then=Play.UNAVAILABLE,
        want=Want.ANSWER,
        primary=(1, 3),
        seconds=lambda t: 5 + t.answer,
    ),
    Fault(
        5,
        "connection reset before headers, once",
        "ask again at once, on a fresh connection",
        first=(Play.RESET,),
        then=Play.HEALTHY,
        want=Want.ANSWER,
        primary=(2, 2),
        stays=True,
        seconds=lambda t: 0.5 + t.answer,
    ),
    Fault(
        6,
        "no response at all",
        "fail over after the first timeout",
        then=Play.SILENT,
        want=Want.ANSWER,
        primary=(1, 1),
        seconds=lambda t: t.silence + 1 + t.answer,
    ),
    Fault(
        7,
        "headers at once, first token far too late",
        "fail over when the first-token limit runs out",
        then=Play.LATE,
        want=Want.ANSWER,
        primary=(1, 1),
        seconds=lambda t: t.first_token + 1 + t.answer,
    ),
    Fault(
        8,
        "cut after 40 of 60 tokens",
        "a whole answer from elsewhere, or an error event; never a cut answer as a success",
        then=Play.CUT,
        want=Want.ANSWER_OR_EVENT,
        primary=(1, 3),
        seconds=lambda t: 5 + 2 * t.answer,
    ),
    Fault(
        9,
        "silent after 40 of 60 tokens, socket open",
        "the idle limit fires; a whole answer from elsewhere, or an error event",
        then=Play.STALLED,
        want=Want.ANSWER_OR_EVENT,
        primary=(1, 1),
        seconds=lambda t: t.idle + 1 + 2 * t.answer,
        event=lambda t: t.idle + 1,
    ),
    Fault(
        10,
        "one event of invalid JSON",
        "never forwarded: skipped, or asked again where nothing was delivered",
        first=(Play.GARBLED,),
        then=Play.HEALTHY,
        want=Want.ANSWER,
        primary=(1, 1),
        seconds=lambda t: 1 + 2 * t.answer,
    ),
    Fault(
        11,
        "finish reason came, the end mark did not",
        "a complete answer, with our own end mark and usage",
        then=Play.NO_END_MARK,
        want=Want.ANSWER,
        primary=(1, 1),
        stays=True,
        seconds=lambda t: t.answer + 0.5,
    ),
    Fault(
        12,
        "400 context length exceeded",
        "no retry; a model with a larger window, or the caller's own context error",
        then=Play.TOO_LONG,
        want=Want.CONTEXT_ERROR,
        primary=(1, 1),
        seconds=lambda t: 0.5 + t.answer,
    ),
    Fault(
        13,
        "400 content filter",
        "no retry and no way around; the reason reaches the caller",
        then=Play.FILTERED,
        want=Want.FILTER_ERROR,
        primary=(1, 1),
        calls=1,
        seconds=lambda _: 0.5,
    ),
    Fault(
        14,
        "cut stream, and the fallback refuses assistant prefill",
        "as 8; the caller never sees the refusal of the prefill",
        then=Play.CUT_CLEAN,
        want=Want.ANSWER_OR_EVENT,
        fallback=Play.NO_PREFILL,
        primary=(1, 3),
        seconds=lambda t: 5 + 2 * t.answer,
    ),
    Fault(
        15,
        "primary down for a while, then well",
        "every call served; a few probes; the traffic returns",
        then=Play.OUTAGE,
        want=Want.ALL_ANSWERED,
        primary=(1, 3),
        seconds=lambda t: 5 + t.answer,
    ),
    Fault(
        16,
        "primary 503, the fallback answers",
        "model, usage and record are the fallback's; the failed attempts are recorded",
        then=Play.UNAVAILABLE,
        want=Want.ANSWER,
        primary=(1, 3),
        seconds=lambda t: 5 + t.answer,
    ),
)
