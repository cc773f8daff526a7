"""How many calls an upstream may have in flight: fixed, found from its refusals, from its latency, or from both.

Pure: each limit is fed one :class:`Sample` per finished call and shows ``size``. It knows no clock (samples carry
their times), no queue and no wire. Little's law is what the latency part rests on: of the calls in flight, the share
that only queues upstream is the share of its time that a call spends queueing there.
"""

from enum import Enum
from math import inf, sqrt
from typing import NamedTuple, Protocol

import msgspec

__all__ = ["BINDING", "Aimd", "Auto", "Fixed", "Gradient", "Limit", "Outcome", "Sample"]

#: Where an upstream starts that refuses what is too much: bought APIs take hundreds of calls at once.
_START = 64
#: Where one starts that may queue without a word: a small server of ours has a handful of slots, and what it was sent
#: at first it must work off before anything can be learned. The limit grows by half with each good round trip.
_CAREFUL = 16
_MOST = 10_000
#: A limit grows fast only while it is what holds calls back.
BINDING = 0.8
_FASTEST = 0.25
#: A call waits for this process twice, when it is sent and when it is answered, and a median lies above a mean.
_LAGS = 4
#: Calls of a round trip that are enough for a median.
_FEW = 3


class Outcome(Enum):
    """What a finished call says of its upstream."""

    #: It answered.
    OK = "ok"
    #: It had no room: 429, an overload error, a timeout.
    DROPPED = "dropped"
    #: Nothing: the caller was at fault, or left.
    IGNORED = "ignored"


#: Asked for with every call; through its class a member takes three times as long to find.
_OK = Outcome.OK


class Sample(msgspec.Struct, gc=False):
    """One finished call.

    ``sent`` and ``left`` are seconds of one monotonic clock, ``in_flight`` the calls in flight when it was sent, itself
    included. ``first_token`` and ``seconds`` count from ``sent``; ``first_token`` is None when it was not streamed, and
    token counts are None when they are not known. ``lag`` is for about how many of the seconds this process was busy.
    """

    outcome: Outcome
    sent: float
    left: float
    in_flight: int
    first_token: float | None
    seconds: float
    tokens_in: int | None
    tokens_out: int | None
    lag: float = 0.0


class Limit(Protocol):
    """How many calls may be in flight."""

    #: Calls in flight at most, at least 1.
    size: int

    def settle(self, sample: Sample) -> None:
        """Learn from a finished call."""
        ...


class Fixed:
    """A number that somebody knows: the slots of a local engine, or a user's own."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = max(1, size)

    def settle(self, sample: Sample) -> None:
        """Learn nothing."""


class Aimd:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989): for upstreams that refuse what is too much.

    A success adds 1/L, so one per round trip, while at least half of the limit is in use. A loss multiplies by 0.9, at
    most once per round trip: what was sent before the last cut says nothing about the limit after it. Two additions:
    a loss far below the limit cuts from where it happened, by half at most (as RFC 5681 cuts from the flight size),
    and after three round trips without loss the increase doubles with each, to a quarter of the limit: the linear
    climb alone would take 64 round trips, minutes for language models, to find a capacity of 128 that was 64. Before
    the first loss the limit doubles with each round trip.

    Args:
        start: the first limit.
        least: it never falls below.
        most: it never rises above.
    """

    __slots__ = ("_cut", "_least", "_limit", "_most", "_quiet", "_round", "size")

    _DECREASE = 0.9
    _LINEAR = 3
    _DOUBLINGS = 16

    def __init__(self, start: int = _START, *, least: int = 1, most: int = _MOST) -> None:
        self._least, self._most = least, most
        self._limit = float(min(max(start, least), most))
        self.size = int(self._limit)
        self._cut = self._round = -inf
        # Round trips since the last loss; None before the first.
        self._quiet: int | None = None

    def settle(self, sample: Sample) -> None:
        """Learn from a finished call."""
        limit = self._limit
        if sample.outcome is _OK:
            if sample.in_flight * 2 <= limit:
                return
            if sample.sent >= self._round and self._quiet is not None:
                self._round = sample.left
                self._quiet = min(self._quiet + 1, self._LINEAR + self._DOUBLINGS)
            step = 1.0
            if self._quiet is None:
                step = limit
            elif self._quiet > self._LINEAR and sample.in_flight >= limit * BINDING:
                step = max(1.0, min(2.0 ** (self._quiet - self._LINEAR), limit * _FASTEST))
            limit += step / limit
        elif sample.outcome is Outcome.DROPPED and sample.sent > self._cut:
            limit = max(min(limit, sample.in_flight), limit / 2) * self._DECREASE
            self._cut = self._round = sample.left
            self._quiet = 0
        else:
            return
        self._limit = min(max(limit, self._least), self._most)
        self.size = int(self._limit)


class _Slope:
    """How many seconds a token adds, fitted with forgetting.

    Least squares about a mean that moves quickly: what all calls of a time have in common, such as a queue, is no part
    of it. One outlier moves it by a bounded amount.
    """

    __slots__ = ("_cov", "_length", "_n", "_took", "_var", "length", "slope")

    _MEMORY = 300
    _LOCAL = 1 / 16
    _OUTLIER = 4.0

    def __init__(self) -> None:
        self._n = 0
        self._length = self._took = self._var = self._cov = 0.0
        #: Seconds per token.
        self.slope = 0.0
        #: Tokens of a typical call.
        self.length = 0.0

    def learn(self, length: float, took: float) -> None:
        """Add a call of ``length`` tokens that took so many seconds."""
        self._n = n = self._n + 1 if self._n < self._MEMORY else self._MEMORY
        self.length += (length - self.length) / n
        d_length, d_took = length - self._length, took - self._took
        most = self._OUTLIER * self._took + (self.slope * d_length if d_length > 0 else 0.0)
        if d_took > most and n > 10:
            d_took = most
        local = max(1 / n, self._LOCAL)
        self._length += local * d_length
        self._took += local * d_took
        if n > 1:
            self._var += (d_length * d_length - self._var) / (n - 1)
            self._cov += (d_length * d_took - self._cov) / (n - 1)
            self.slope = self._cov / self._var if self._var > 0 and self._cov > 0 else 0.0


class _Round(NamedTuple):
    """What the calls of one round trip say.

    How many they were (``calls``), the seconds they queued upstream beyond the base (``queued``), what share of their
    time that is (``share``), whether it is more than the slack (``over``), and what base would explain it (``base``).
    """

    calls: int
    queued: float
    share: float
    over: bool
    base: float


class _Pace:
    """How long one kind of call takes while it does not queue: ``base`` seconds, and the slope for each token.

    The base is the least median of a round trip seen. It ages: it drifts towards what is seen, and is replaced when
    fewer calls in flight did not make them faster.

    Args:
        slack: what a median may exceed the base by, as a share of what a typical call takes.
    """

    __slots__ = ("_base", "_calls", "_rest", "_seen", "_slack", "_slope")

    _AGEING = 0.03
    #: And as a share of the whole time of a call.
    _SHARE = 0.1
    #: Seconds that are no queue of anyone's: what a network and a scheduler add now and then.
    _JITTER = 0.002

    def __init__(self, slack: float) -> None:
        self._slack = slack
        self._base: float | None = None
        self._slope = _Slope()
        self._calls: list[tuple[float | None, float]] = []
        # What comes after the time that is measured: the answer after its first token.
        self._rest, self._seen = 0.0, 0

    def learn(self, length: int | None, took: float, seconds: float) -> None:
        """Learn from any call, whenever it was sent."""
        if length is not None:
            self._slope.learn(length, took)
        self._seen = self._seen + 1 if self._seen < 100 else 100
        self._rest += (seconds - took - self._rest) / self._seen

    def add(self, length: int | None, took: float) -> None:
        """Take in a call of this round trip."""
        self._calls.append((length, took))

    def close(self, lag: float) -> _Round | None:
        """End the round trip, whose calls had ``lag`` seconds of ours; None when it had too few calls to tell."""
        calls, self._calls = self._calls, []
        if len(calls) < _FEW:
            return None
        slope, typical = self._slope.slope, self._slope.length
        # Queueing adds to a call, whatever its length; the median forgives the odd slow one.
        fixed = sorted(took - slope * (typical if length is None else length) for length, took in calls)
        count, middle = len(fixed), fixed[len(fixed) // 2]
        # The standard error of a median, from the middle half; of many medians the least must not be believed at once.
        error = (fixed[count * 3 // 4] - fixed[count // 4]) / sqrt(count)
        # Of a first burst only the first few may have found room.
        base = fixed[count // 10] if self._base is None else self._base
        self._base = base = min(middle + error, base + self._AGEING * max(middle - base, 0.0))
        queued = max(middle - base, 0.0)
        took = max(base + slope * typical, 1e-9)
        slack = min(self._slack * took, self._SHARE * (took + self._rest)) + 2 * error + self._JITTER + _LAGS * lag
        return _Round(count, queued, queued / (queued + took + self._rest), queued > slack, middle)

    def rebase(self, base: float) -> None:
        """Take ``base`` for the time of a call that does not queue."""
        self._base = base


class _Cut(NamedTuple):
    """What was when the limit was cut: calls in flight, the seconds they queued, and the limit to go back to should
    the cuts in a row that did not help (``cuts``) show that nothing queues."""

    flying: float
    queued: float
    limit: float
    cuts: int


class Gradient:
    """Follows latency: the limit is cut to what would not have queued, and probes upwards while nothing queues.

    Latency is made comparable first: time to the first token of streams against the length of the prompt, the whole
    time of other calls against the length of the answer. Once per round trip (calls sent since the last change), the
    share u of their time that N calls in flight queued upstream gives N * (1 - u), the gradient of Netflix's
    concurrency limits (Gradient2) with the least recent latency in place of a long average, which drifts into the
    queue it should see. The cut goes 3 % further, so the latency without a queue is seen again. When it did not help,
    latency rose for another reason: the limit is restored and the higher latency becomes the base.

    Args:
        start: the first limit.
        least: it never falls below; small pools may have 1.
        most: it never rises above.
    """

    __slots__ = (
        "_before", "_ceiling", "_count", "_flying", "_lag", "_least", "_limit", "_most", "_need", "_peak", "_round",
        "_step", "_streams", "_wholes", "size",
    )  # fmt: skip

    _DEEPEST = 0.3
    _BELOW = 0.97
    #: Growth in a round trip: after a cut, and before the first one.
    _SLOWEST = 0.02
    _NEAR = 0.04
    _PAST = 1.1
    _FIRST = 0.5
    #: A queue shrinks with the calls in flight; when they were this few and it is still this long, it was none.
    _FEWER = 0.95
    _NO_HELP = 0.25
    #: Said twice: once, the capacity may have fallen meanwhile.
    _PATIENCE = 2

    def __init__(self, start: int = _CAREFUL, *, least: int = 1, most: int = _MOST) -> None:
        self._least, self._most = least, most
        self._limit = float(min(max(start, least), most))
        self.size = int(self._limit)
        # Whole times are long and steady, first tokens short and not.
        self._streams, self._wholes = _Pace(slack=0.5), _Pace(slack=0.15)
        self._before: _Cut | None = None
        self._round = -inf
        self._ceiling = self._lag = 0.0
        self._step = self._FIRST
        self._count = self._peak = self._flying = 0
        self._need = self._enough()

    def settle(self, sample: Sample) -> None:
        """Learn from a finished call."""
        if sample.outcome is not _OK or sample.seconds <= 0:
            return
        first_token = sample.first_token
        if first_token is not None:
            pace, length, took = self._streams, sample.tokens_in, first_token
        elif sample.tokens_out is not None:
            pace, length, took = self._wholes, sample.tokens_out, sample.seconds
        else:
            return
        pace.learn(length, took, sample.seconds)
        if sample.sent < self._round:
            return
        pace.add(length, took)
        self._peak = sample.in_flight if sample.in_flight > self._peak else self._peak
        self._flying += sample.in_flight
        self._lag += sample.lag
        self._count += 1
        if self._count >= self._need:
            self._turn(sample.left)

    def _enough(self) -> int:
        # Half of the calls in flight, so that a round takes about as long as they do; in the first climb all of them,
        # since it is steep, and those that end first are those that did not queue.
        return int(min(max(self._limit * (1.0 if self._step == self._FIRST else 0.5), 8), 40))

    def _turn(self, now: float) -> None:
        """End the round trip and set the limit for the next."""
        flying, lag = self._flying / self._count, self._lag / self._count
        rounds = [(pace, seen) for pace in (self._streams, self._wholes) if (seen := pace.close(lag)) is not None]
        # The kind that most calls are of decides; the other one follows it.
        seen = max((seen for _, seen in rounds), key=lambda seen: seen.calls, default=None)
        before, self._before = self._before, None
        cuts, limit = 0, self._limit
        # Asked of rounds that are not over too: a base that is too low shows in all, in some just not enough.
        if before and seen and flying <= before.flying * self._FEWER and seen.queued > before.queued * self._NO_HELP:
            cuts, limit = before.cuts + 1, before.limit
        if cuts >= self._PATIENCE or (seen and seen.over and flying * 2 > self._limit <= self._least):
            for pace, each in rounds:
                pace.rebase(each.base)
            self._limit, self._ceiling = limit, 0.0
        elif seen is None or not seen.over:
            self._grow()
            self._before = before._replace(cuts=cuts) if before and cuts else None
        elif flying * 2 > self._limit:
            self._before = _Cut(flying, seen.queued, limit, cuts)
            self._step = self._SLOWEST
            self._ceiling = flying * (1.0 - seen.share)
            self._limit = max(self._ceiling * self._BELOW, self._limit * self._DEEPEST)
        self._limit = min(max(self._limit, self._least), self._most)
        self.size = int(self._limit)
        self._round, self._need = now, self._enough()
        self._count = self._peak = self._flying = 0
        self._lag = 0.0

    def _grow(self) -> None:
        if self._peak < self._limit * BINDING:
            return
        self._limit += max(0.5, self._limit * self._step)
        # The first climb stays steep. Later ones are slow until they pass where a queue was seen last.
        if self._step < self._FIRST:
            self._step = min(2 * self._step, self._NEAR if self._limit < self._ceiling * self._PAST else _FASTEST)


class Auto:
    """The smaller of :class:`Aimd` and :class:`Gradient`: refusals and slowness both count.

    Args:
        start: the first limit.
        least: it never falls below.
        most: it never rises above.
    """

    __slots__ = ("_latency", "_loss", "size")

    def __init__(self, start: int = _CAREFUL, *, least: int = 1, most: int = _MOST) -> None:
        self._loss = Aimd(start, least=least, most=most)
        self._latency = Gradient(start, least=least, most=most)
        self.size = self._loss.size

    def settle(self, sample: Sample) -> None:
        """Learn from a finished call."""
        loss, latency = self._loss, self._latency
        loss.settle(sample)
        latency.settle(sample)
        self.size = loss.size if loss.size < latency.size else latency.size
