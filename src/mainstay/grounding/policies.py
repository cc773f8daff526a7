"""What follows from what was found and what was checked. Pure decisions; who carries them out stands in ``stage``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from mainstay.core.sources import Found, Source, Verdict
from mainstay.grounding.port import Support
from mainstay.grounding.route_config import RouteKnowledgeConfig

__all__ = ["Nothing", "Rule", "Unsupported", "is_weak", "oldest_ms", "rule_of", "usable", "verdict_of"]

Nothing = Literal["answer", "say", "refuse", "review"]
Unsupported = Literal["mark", "strip", "reask", "refuse", "review"]

_SUSPICIOUS: Final = "injection"


class Rule(msgspec.Struct, frozen=True):
    """What a route answers from and how; see :class:`~mainstay.grounding.route_config.RouteKnowledgeConfig`. Times are
    in seconds."""

    base: str
    version: str = ""
    most: int = 6
    tokens: int = 2000
    within: float = 0.3
    turns: int = 4
    where: Mapping[str, str] = {}
    without: frozenset[str] = frozenset({_SUSPICIOUS})
    stale_after: float = 0.0
    cite: bool = True
    keep: bool = True
    nothing: Nothing = "answer"
    text: str = ""
    #: What is said instead where the search came too late.
    late: str = ""
    native: bool = True
    least: float = 0.0
    #: None: claims are not checked.
    unsupported: Unsupported | None = None
    supported: float = 0.6
    contradicted: float = 0.6
    faults: frozenset[Verdict] = frozenset({"contradicted", "not_found"})
    patience: float = 2.0
    #: Under which confidence of the search an answer needs what share of support, and what is said without it.
    unsure: float = 0.0
    support: float = 0.0
    abstention: str = ""

    @property
    def holds(self) -> bool:
        """Whether words wait until their claim is checked."""
        return self.unsupported in ("strip", "refuse", "review")


def rule_of(config: RouteKnowledgeConfig) -> Rule:
    """Return what a route's configuration says as the step wants it."""
    verify, abstain = config.verify, config.abstain
    rule = Rule(
        config.base,
        config.version,
        config.most,
        config.tokens,
        config.within,
        config.turns,
        config.where,
        frozenset({_SUSPICIOUS}) if config.suspicious == "drop" else frozenset(),
        config.stale_after,
        config.cite,
        config.marks == "keep",
        config.nothing.do,
        config.nothing.text,
        config.nothing.late,
        config.native,
        config.nothing.least,
    )
    if verify is None:
        return rule
    checked = msgspec.structs.replace(
        rule,
        unsupported=verify.unsupported,
        supported=verify.supported,
        contradicted=verify.contradicted,
        faults=frozenset(verify.only),
        patience=verify.within,
    )
    if abstain is None:
        return checked
    return msgspec.structs.replace(checked, unsure=abstain.confidence, support=abstain.support, abstention=abstain.text)


def usable(found: Found, rule: Rule, now: int) -> tuple[tuple[Source, ...], dict[str, int]]:
    """Return the passages of ``found`` that the model may be given at wall-clock ms ``now``, and how many may not be,
    by why."""
    if found.confidence < rule.least:
        return (), {"weak": len(found.sources)} if found.sources else {}
    kept: list[Source] = []
    dropped: dict[str, int] = {}
    for source in found.sources:
        flagged = next((flag for flag in source.flags if flag in rule.without), "")
        written = source.dated or source.read_at
        why = flagged
        if not why and source.expires and source.expires <= now:
            why = "expired"
        if not why and rule.stale_after and written and now - written > rule.stale_after * 1000:
            why = "stale"
        if why:
            dropped[why] = dropped.get(why, 0) + 1
        else:
            kept.append(source)
    return tuple(kept), dropped


def oldest_ms(sources: Iterable[Source], now: int) -> int | None:
    """Return the age of the oldest source at wall-clock ms ``now``, None where no age is known."""
    times = [source.dated or source.read_at for source in sources]
    known = [time for time in times if time]
    return max(0, now - min(known)) if known else None


def verdict_of(supports: Sequence[Support], rule: Rule) -> tuple[Verdict, float | None]:
    """Return what judgements of one claim against several texts come to, and the surest support of them."""
    if not supports:
        return "unchecked", None
    best = max(one.supported for one in supports)
    if best >= rule.supported:
        return "supported", best
    if max(one.contradicted for one in supports) >= rule.contradicted:
        return "contradicted", best
    return "not_found", best


def is_weak(confidence: float, verdicts: Mapping[str, int], rule: Rule) -> bool:
    """Return whether the route rather says nothing than this answer."""
    if confidence >= rule.unsure or rule.unsupported is None:
        return False
    checked = sum(verdicts.get(name, 0) for name in ("supported", "contradicted", "not_found"))
    return checked == 0 or verdicts.get("supported", 0) / checked < rule.support
