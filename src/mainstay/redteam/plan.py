"""Which cases are played: every seed in every disguise and conversation that fits it, or a fair draw from them.

A draw goes round the categories, so that a run that is cut short has tried some of each. The same number draws the same
cases. Pure.
"""

import hashlib
import random
from collections.abc import Collection, Iterator, Sequence

import msgspec

from mainstay.redteam.converters import CONVERTERS, PLAIN, Converter
from mainstay.redteam.seeds import BENIGN, Seed, Strategy
from mainstay.redteam.strategies import Filling, Script, filling_of, script_of, tags_of

__all__ = ["Case", "cases_of", "digest_of", "sampled"]

#: Conversations in which an attack stands in something the model reads.
_INSIDE = ("document", "tool_result")


class Case(msgspec.Struct, frozen=True):
    """A seed, how it is disguised and how it is put."""

    seed: Seed
    converter: str
    strategy: Strategy

    @property
    def id(self) -> str:
        """``SEED.CONVERTER.STRATEGY``, of which there is one."""
        return f"{self.seed.id}.{self.converter}.{self.strategy}"

    @property
    def tags(self) -> tuple[str, ...]:
        """Names of the risk, OWASP's first."""
        return tags_of(self.seed, self.converter, self.strategy)

    @property
    def filling(self) -> Filling:
        """What stands for the places in the seed."""
        return filling_of(self.id)

    def script(self, system: str = "") -> Script:
        """Return the conversation; ``system`` stands in place of what the seed's system says."""
        return script_of(self.seed, CONVERTERS[self.converter], self.strategy, self.filling, system)


def cases_of(
    seeds: Sequence[Seed],
    *,
    categories: Collection[str] = (),
    converters: Collection[str] = (),
    strategies: Collection[str] = (),
) -> list[Case]:
    """Return every case there is of ``seeds``; what is empty holds nothing back.

    Harmless requests are put once, as they are, whatever disguises and conversations are chosen.
    """
    return [
        case
        for seed in seeds
        if not categories or seed.category in categories
        for case in _cases_of(seed, converters, strategies)
    ]


def _cases_of(seed: Seed, converters: Collection[str], strategies: Collection[str]) -> Iterator[Case]:
    if seed.category == BENIGN:
        yield Case(seed, PLAIN, "single")
        return
    for strategy in seed.strategies:
        if strategies and strategy not in strategies:
            continue
        for converter in CONVERTERS.values():
            if (not converters or converter.name in converters) and _fits(converter, strategy):
                yield Case(seed, converter.name, strategy)


def _fits(converter: Converter, strategy: Strategy) -> bool:
    return converter.inside or strategy not in _INSIDE


def sampled(cases: Sequence[Case], count: int, number: int) -> list[Case]:
    """Return ``count`` attacks of ``cases`` drawn by ``number``, and every harmless request; all, where it is 0.

    The order goes round the categories, harmless requests spread among the attacks.
    """
    by_category: dict[str, list[Case]] = {}
    for case in cases:
        by_category.setdefault(case.seed.category, []).append(case)
    for category, group in by_category.items():
        random.Random(f"{number} {category}").shuffle(group)  # noqa: S311  # a draw that can be made again, no secret
    harmless = by_category.pop(BENIGN, [])
    attacks = list(_round(list(by_category.values())))
    if count:
        attacks = attacks[:count]
    return list(_spread(attacks, harmless))


def _round(groups: list[list[Case]]) -> Iterator[Case]:
    for at in range(max(map(len, groups), default=0)):
        for group in groups:
            if at < len(group):
                yield group[at]


def _spread(attacks: list[Case], harmless: list[Case]) -> Iterator[Case]:
    done = 0
    for at, case in enumerate(attacks, 1):
        yield case
        due = len(harmless) * at // len(attacks)
        yield from harmless[done:due]
        done = max(done, due)
    yield from harmless[done:]


def digest_of(cases: Sequence[Case], *more: str) -> str:
    """Return what names these cases, their order aside, and what else an answer depends on: 16 hex figures."""
    hashed = hashlib.sha256()
    for case in sorted(cases, key=lambda case: case.id):
        hashed.update(msgspec.json.encode(case) + b"\n")
    hashed.update(msgspec.json.encode(more))
    return hashed.hexdigest()[:16]
