"""Which budgets and limits a call counts against: rules compiled from the configuration and from keys.

Pure. A rule with ``per`` stands for one series of accounts for each value; a series has one account for each bucket
of its window. What is in an account is the bank's.
"""

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from mainstay.core.call import Caller
from mainstay.cost.config import BudgetConfig, CostConfig, Dimension, LimitConfig, read_amount
from mainstay.cost.windows import Window

__all__ = ["Dimensions", "Rule", "Rules", "Series", "Unit", "dimensions_of"]

#: What a call is, by dimension; those of its attempt are not known yet.
Dimensions = Mapping[Dimension, str]

_ATTEMPTS: Final = frozenset[Dimension]({"model", "provider"})
_LONGEST: Final = 80
#: Combinations of caller, route and user that are remembered before beginning anew.
_MOST: Final = 20_000
_MINUTE: Final = Window("minute", rolling=True)
_DAY: Final = Window("day", rolling=True)


class Unit(StrEnum):
    """What an account counts."""

    USD = "usd"  # in units of 1e-12
    REQUESTS = "requests"
    TOKENS = "tokens"
    PARALLEL = "parallel"


class Rule(msgspec.Struct, frozen=True):
    """One budget or limit. ``name`` is the configuration's, ``limit`` is in the unit's smallest parts.

    ``soft`` is the part of it at which an alert is due, and ``model`` the one to ask from then on.
    """

    name: str
    unit: Unit
    limit: int
    window: Window
    match: tuple[tuple[Dimension, str], ...] = ()
    per: tuple[Dimension, ...] = ()
    hard: bool = True
    soft: float | None = None
    model: str = ""

    @property
    def dimensions(self) -> frozenset[Dimension]:
        """What must be known of a call to find its account."""
        return frozenset((*self.per, *(name for name, _ in self.match)))


class Series(msgspec.Struct, frozen=True):
    """A rule for one member: the accounts that ``id`` and a bucket's name make."""

    id: str
    rule: Rule
    #: Whom it is of, in words: ``key ci``; "" for a rule that all share.
    member: str = ""


class Rules:
    """Every budget and limit of one generation of the configuration.

    Args:
        config: the configuration's; keys bring their own.
    """

    def __init__(self, config: CostConfig) -> None:
        rules = [*_budgets(config.budgets), *_limits(config.limits)]
        self._calls = [rule for rule in rules if not rule.dimensions & _ATTEMPTS]
        self._attempts = [rule for rule in rules if rule.dimensions & _ATTEMPTS]
        self._needs_user = any("user" in rule.dimensions for rule in rules)
        self._needs_tags = any("tag" in rule.dimensions for rule in rules)
        #: Callers are known by identity, and kept, so that no other takes the place of one: they are the keyring's own.
        self._callers: dict[int, Caller] = {}
        self._known: dict[tuple[object, ...], tuple[Series, ...]] = {}
        #: Whether any rule asks for the model or its provider.
        self.by_attempt = bool(self._attempts)

    def of_call(self, caller: Caller, route: str, user: str, tags: tuple[str, ...]) -> tuple[Series, ...]:
        """Return what a call counts against whatever answers it."""
        if not self._calls and not (caller.budget or caller.rpm or caller.tpm):
            return ()
        key = (id(caller), route, user if self._needs_user else "", tags if self._needs_tags else ())
        found = self._known.get(key)
        if found is None:
            own = _of_key(caller)
            found = tuple(_series((*self._calls, *own), dimensions_of(caller, route, user), tags))
            self._remember(caller, key, found)
        return found

    def of_attempt(
        self, caller: Caller, route: str, user: str, tags: tuple[str, ...], model: str, provider: str
    ) -> tuple[Series, ...]:
        """Return what an attempt counts against beside its call."""
        own = (user if self._needs_user else "", tags if self._needs_tags else ())
        key = (id(caller), route, *own, model, provider)
        found = self._known.get(key)
        if found is None:
            dimensions = {**dimensions_of(caller, route, user), "model": model, "provider": provider}
            found = tuple(_series(self._attempts, dimensions, tags))
            self._remember(caller, key, found)
        return found

    def _remember(self, caller: Caller, key: tuple[object, ...], found: tuple[Series, ...]) -> None:
        if len(self._known) >= _MOST:
            self._known.clear()
            self._callers.clear()
        self._callers[id(caller)] = caller
        self._known[key] = found


def dimensions_of(caller: Caller, route: str, user: str) -> dict[Dimension, str]:
    """Return what is known of a call before anything answers it, but for its tags."""
    return {
        "organisation": caller.organisation,
        "team": caller.team,
        "key": caller.name,
        "user": user,
        "route": route,
    }


def _series(rules: Iterable[Rule], dimensions: Dimensions, tags: tuple[str, ...]) -> Iterable[Series]:
    for rule in rules:
        if "tag" in rule.dimensions:
            for tag in tags:
                yield from _one(rule, {**dimensions, "tag": tag})
        else:
            yield from _one(rule, dimensions)


def _one(rule: Rule, dimensions: Dimensions) -> Iterable[Series]:
    if any(dimensions[name] != value for name, value in rule.match):
        return
    members = [(name, dimensions[name]) for name in rule.per]
    # A call for no user counts against nobody's budget of users.
    if all(value for _, value in members):
        parts = "/".join(_short(value) for _, value in members)
        named = " of ".join(f"{name} {_short(value)}" for name, value in members)
        window = f"{rule.window.count}{rule.window.period}" if rule.window.rolling else rule.window.period
        yield Series("|".join((rule.name, parts, rule.unit, window)), rule, named)


def _short(value: str) -> str:
    """Return a value as it may stand in an account's name: what callers send may be of any length."""
    plain = value.isprintable() and "|" not in value and "/" not in value and not value.startswith("#")
    if len(value) <= _LONGEST and plain:
        return value
    return "#" + hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _budgets(budgets: Mapping[str, BudgetConfig]) -> Iterable[Rule]:
    for name, row in budgets.items():
        soft = row.soft
        yield Rule(
            name,
            Unit.USD,
            row.limit.picousd,
            row.window,
            row.match,
            row.per,
            row.hard,
            soft.at if soft is not None else None,
            (soft.model or "") if soft is not None else "",
        )


def _limits(limits: Mapping[str, LimitConfig]) -> Iterable[Rule]:
    for name, row in limits.items():
        for unit, limit, window in (
            (Unit.REQUESTS, row.rpm, _MINUTE),
            (Unit.REQUESTS, row.rpd, _DAY),
            (Unit.TOKENS, row.tpm, _MINUTE),
            (Unit.TOKENS, row.tpd, _DAY),
            (Unit.PARALLEL, row.parallel, Window()),
        ):
            if limit is not None:
                yield Rule(name, unit, limit, window, row.match, row.per)


def _of_key(caller: Caller) -> Iterable[Rule]:
    """Yield what stands on the key itself. Its account is of the key's id: a new key of the same name begins anew."""
    name = f"key:{caller.key}"
    match: tuple[tuple[Dimension, str], ...] = (("key", caller.name),)
    if caller.budget:
        amount = read_amount(caller.budget)
        yield Rule(name, Unit.USD, amount.picousd, amount.window, match)
    if caller.rpm:
        yield Rule(name, Unit.REQUESTS, caller.rpm, _MINUTE, match)
    if caller.tpm:
        yield Rule(name, Unit.TOKENS, caller.tpm, _MINUTE, match)
