"""What a failed attempt means: one table from the error's class and code to what may be done about it.

Pure values. The classes are made by the codecs, from status, code and body; here they are read, and nowhere else. The
table follows the one in ``docs/reliability.md``.
"""

from enum import Enum, auto
from typing import Final

import msgspec
from msgspec.structs import replace

from mainstay.core.errors import (
    BudgetExceeded,
    ContentFiltered,
    ContextOverflow,
    MainstayError,
    RateLimited,
    Unavailable,
    Unsupported,
    UpstreamBroken,
    UpstreamCredential,
    UpstreamFailed,
    UpstreamInterrupted,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)

__all__ = ["Shuts", "Signal", "Verdict", "signal_of"]


class Shuts(Enum):
    """What an error closes for the calls that come after."""

    NOTHING = auto()
    #: The target, until the time the upstream named.
    TARGET = auto()
    #: Every target of the credential, until it was looked at.
    CREDENTIAL = auto()


class Verdict(Enum):
    """What an error says of the upstream's health."""

    #: It answered: whatever it said, it lives.
    ALIVE = auto()
    #: It failed: the circuit breaker counts it.
    FAILED = auto()
    #: Nothing was learnt.
    UNKNOWN = auto()


class Signal(msgspec.Struct, frozen=True):
    """What may be done about an error."""

    #: Times the same target may be asked again by the same call.
    here: int = 0
    #: The first time without waiting: no byte came, so it is safe.
    at_once: bool = False
    #: Another target may be asked.
    elsewhere: bool = False
    #: Another target is better than the same again, where there is one.
    away_first: bool = False
    #: Only a target with a larger context window makes sense.
    larger: bool = False
    shuts: Shuts = Shuts.NOTHING
    verdict: Verdict = Verdict.UNKNOWN


_DEAD: Final = Signal()
#: First match wins; a code of "" stands for every code.
_TABLE: Final[tuple[tuple[type[MainstayError], str, Signal], ...]] = (
    (UpstreamUnreachable, "", Signal(here=1, at_once=True, elsewhere=True, verdict=Verdict.FAILED)),
    (UpstreamTimeout, "", Signal(elsewhere=True, verdict=Verdict.FAILED)),
    (UpstreamRateLimited, "", Signal(here=2, elsewhere=True, shuts=Shuts.TARGET, verdict=Verdict.ALIVE)),
    (UpstreamCredential, "", Signal(elsewhere=True, shuts=Shuts.CREDENTIAL, verdict=Verdict.ALIVE)),
    (UpstreamFailed, "upstream_not_found", Signal(elsewhere=True, verdict=Verdict.ALIVE)),
    (UpstreamFailed, "upstream_conflict", Signal(here=1, verdict=Verdict.ALIVE)),
    (UpstreamFailed, "", Signal(here=2, elsewhere=True, verdict=Verdict.FAILED)),
    (UpstreamBroken, "", Signal(here=1, elsewhere=True, away_first=True, verdict=Verdict.FAILED)),
    (UpstreamInterrupted, "", Signal(here=2, elsewhere=True, away_first=True, verdict=Verdict.FAILED)),
    # The upstream names something that this model cannot do; another may.
    (UpstreamRefused, "unsupported_parameter", Signal(elsewhere=True, verdict=Verdict.ALIVE)),
    (UpstreamRefused, "unsupported_value", Signal(elsewhere=True, verdict=Verdict.ALIVE)),
    (UpstreamRefused, "unsupported_feature", Signal(elsewhere=True, verdict=Verdict.ALIVE)),
    (UpstreamRefused, "", Signal(verdict=Verdict.ALIVE)),
    (ContextOverflow, "", Signal(elsewhere=True, larger=True, verdict=Verdict.ALIVE)),
    (ContentFiltered, "", Signal(verdict=Verdict.ALIVE)),
    (Unsupported, "", Signal(elsewhere=True)),
    # What this model may cost, or how often it may be asked, says nothing of another.
    (BudgetExceeded, "model_budget_exceeded", Signal(elsewhere=True)),
    (BudgetExceeded, "price_unknown", Signal(elsewhere=True)),
    (RateLimited, "model_rate_limited", Signal(elsewhere=True)),
    # Our own waiting room is full; asking it again at once would only lengthen the queue.
    (Unavailable, "overloaded", Signal(elsewhere=True)),
    # No model can be asked while nothing can be reserved.
    (Unavailable, "ledger_unavailable", Signal()),
    # A local engine that is being started again.
    (Unavailable, "", Signal(here=2, elsewhere=True, away_first=True)),
)


def signal_of(error: MainstayError) -> Signal:
    """Return what may be done about ``error``; an ``x-should-retry`` of the upstream outweighs its status."""
    rows = (row for kind, code, row in _TABLE if isinstance(error, kind) and code in ("", error.code))
    signal = next(rows, _DEAD)
    if error.should_retry is False and signal.here:
        return replace(signal, here=0)
    if error.should_retry and not signal.here and isinstance(error, UpstreamRefused | UpstreamFailed):
        return replace(signal, here=1)
    return signal
