"""A rail as the line runs it: what looks, where, and what is done with what it finds; and the notes a call takes of it.

Made from a row of ``routes.X.rails`` once, when a route is compiled. Pure; knows neither prompts nor answers.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from mainstay.core.record import RailSpan, RailVerdict
from mainstay.guardrails.port import Finding, Judge, Scanner

__all__ = ["ACTIONS", "Action", "Place", "Rail", "Trace", "mask_for"]

#: What a text is to the one who looks at it: the caller's own words, what a search brought, what a tool gave, or what
#: the model says (its reasoning and the arguments of its tools included).
Place = Literal["input", "retrieved", "tool_result", "output"]
Action = Literal["block", "mask", "pseudonymise", "flag", "annotate", "human", "route"]

#: What a record says of a rail that found something, by what the rail does.
ACTIONS: Final[Mapping[Action, str]] = {
    "block": "blocked",
    "mask": "masked",
    "pseudonymise": "pseudonymised",
    "flag": "flagged",
    "annotate": "annotated",
    "human": "held",
    "route": "rerouted",
}
#: Places of findings that one verdict names; the counts by kind go on.
_SPANS: Final = 64


def mask_for(kind: str) -> str:
    """Return what stands in the place of a finding that is masked: ``[EMAIL]``."""
    return f"[{kind.upper()}]"


class Rail(msgspec.Struct, frozen=True, eq=False):
    """One rail. Exactly one of ``scanner`` and ``judge`` is set.

    ``kinds`` are the findings of the scanner that count, all where it is empty, and ``least`` the score they need.
    ``thresholds`` are the probabilities from which on a head of the judge counts; heads that are not named do not.
    """

    name: str
    what: str
    where: frozenset[Place]
    do: Action
    #: False in monitor mode: everything is noted, nothing is done.
    enforce: bool = True
    #: What becomes of a call whose text cannot be looked at: refused where closed, let through where open.
    closed: bool = True
    scanner: Scanner | None = None
    judge: Judge | None = None
    kinds: frozenset[str] = frozenset()
    least: float = 0.0
    thresholds: Mapping[str, float] = {}
    #: What the refusal says; "" for a sentence of our own.
    reply: str = ""
    #: The model that is asked instead, where ``do`` is ``route``.
    model: str = ""
    #: Whether it also looks at the words in images.
    images: bool = False

    @property
    def acts(self) -> bool:
        """Whether anything but a note follows from what it finds."""
        return self.enforce and self.do != "flag"

    def scan(self, text: str) -> Sequence[Finding]:
        """Return what counts of what the scanner finds."""
        assert self.scanner is not None
        return self.counted(self.scanner.scan(text))

    def counted(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        """Return what counts of what its scanner has found."""
        return [one for one in findings if one.score >= self.least and (not self.kinds or one.kind in self.kinds)]

    def over(self, probabilities: Mapping[str, float]) -> dict[str, float]:
        """Return the heads of a judgement that reach their threshold, with their probability."""
        return {
            head: value for head, least in self.thresholds.items() if (value := probabilities.get(head, 0.0)) >= least
        }


class Trace:
    """What the rails of one call have found so far: one verdict for each rail and place, on the record from the start.

    Args:
        verdicts: the record's own list.
    """

    __slots__ = ("_by_rail", "_verdicts")

    def __init__(self, verdicts: list[RailVerdict]) -> None:
        self._verdicts = verdicts
        self._by_rail: dict[tuple[str, Place], RailVerdict] = {}

    def looked(self, rail: Rail, where: Place, seconds: float) -> RailVerdict:
        """Note that a rail has looked, and for how long; return its verdict, which says ``passed`` until it finds."""
        verdict = self._by_rail.get((rail.name, where))
        if verdict is None:
            verdict = self._by_rail[rail.name, where] = RailVerdict(rail.name, where, enforced=rail.enforce)
            self._verdicts.append(verdict)
        verdict.ms += seconds * 1000.0
        return verdict

    def found(self, rail: Rail, where: Place, finding: Finding, place: str = "", offset: int = 0) -> None:
        """Note a finding of a scanner: its kind, its score and its span, in characters of the text at ``place``."""
        verdict = self.looked(rail, where, 0.0)
        verdict.outcome = ACTIONS[rail.do]
        verdict.kinds[finding.kind] = verdict.kinds.get(finding.kind, 0) + 1
        verdict.score = max(verdict.score or 0.0, finding.score)
        if len(verdict.spans) < _SPANS:
            verdict.spans.append(RailSpan(finding.kind, offset + finding.start, offset + finding.end, place))

    def judged(self, rail: Rail, where: Place, heads: Mapping[str, float]) -> None:
        """Note the heads of a judge that are over their thresholds, none of them being no finding."""
        verdict = self.looked(rail, where, 0.0)
        for head, value in heads.items():
            verdict.outcome = ACTIONS[rail.do]
            verdict.kinds[head] = verdict.kinds.get(head, 0) + 1
            verdict.score = max(verdict.score or 0.0, value)

    def failed(self, rail: Rail, where: Place) -> None:
        """Note that a rail could not look."""
        self.looked(rail, where, 0.0).outcome = "failed"
