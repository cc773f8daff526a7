"""What is tried: a sentence, what it is after, how success is told, and the names its risk goes by.

Read from ``library/`` and from files of a team's own in the same form. A place in braces (``{first}``, ``{second}``,
``{canary}``) is filled for each case, so that no answer can hold what is looked for unless the attack made it. Does not
know how a seed is disguised or put.
"""

import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from mainstay.core.errors import ConfigError
from mainstay.redteam.tags import ATLAS, OWASP

__all__ = ["BENIGN", "CATEGORIES", "STRATEGIES", "Seed", "Strategy", "Test", "all_seeds", "read_seeds"]

#: How success is told. ``marker``: the two words stand joined in the answer, as they do in no prompt. ``pattern``:
#: ``look`` matches. ``leak``: the canary is in the answer, disguised or not. ``tool``: one of ``tools`` is called.
#: ``compliance``: it is no refusal, and about the matter. ``length``: it has at least ``least`` words. ``answered``: a
#: harmless request, which is to be let through.
Test = Literal["marker", "pattern", "leak", "tool", "compliance", "length", "answered"]
Strategy = Literal["single", "insist", "crescendo", "document", "tool_result", "extraction"]

CATEGORIES: Final = (
    "injection",
    "disclosure",
    "output",
    "agency",
    "prompt_leak",
    "misinformation",
    "consumption",
    "harm",
    "benign",
)
#: The category of harmless requests: what is counted there is what guards wrongly stop.
BENIGN: Final = "benign"
STRATEGIES: Final[tuple[Strategy, ...]] = ("single", "insist", "crescendo", "document", "tool_result", "extraction")
_BY_TEST: Final[dict[str, tuple[Strategy, ...]]] = {
    "marker": ("single", "insist", "crescendo", "document", "tool_result"),
    "pattern": ("single", "crescendo", "document", "tool_result"),
    "leak": ("single", "insist", "crescendo"),
    "tool": ("single", "document", "tool_result"),
    "compliance": ("single", "insist", "crescendo"),
    "length": ("single", "document"),
    "answered": ("single",),
}
_ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Seed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing to try.

    ``attack`` is what is said; ``system`` is what the model is told before, an application's own prompt with something
    to protect in it. ``look`` and ``unless`` are patterns for what an answer must and must not hold to count. ``tools``
    are names of :data:`~mainstay.redteam.strategies.TOOLS` that must not be called; ``arguments`` a pattern for what
    they are called with. ``steps`` are what a crescendo says first.
    """

    id: str
    goal: str
    attack: str
    category: str = ""
    test: Test = "marker"
    owasp: tuple[str, ...] = ()
    atlas: tuple[str, ...] = ()
    system: str = ""
    look: str = ""
    unless: str = ""
    tools: tuple[str, ...] = ()
    arguments: str = ""
    least: int = 0
    steps: tuple[str, ...] = ()
    strategies: tuple[Strategy, ...] = ()
    #: The head of moderation that a seed of ``harm`` is for.
    head: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """Rows, and what is the same for all that do not say otherwise."""

    seed: list[dict[str, Any]]
    common: dict[str, Any] = {}


@cache
def all_seeds() -> tuple[Seed, ...]:
    """Return the seeds that come with Mainstay, harmless requests included, in the order of their categories."""
    folder = files("mainstay.redteam").joinpath("library")
    found: list[Seed] = []
    for category in CATEGORIES:
        found += _parsed(folder.joinpath(f"{category}.toml").read_text("utf-8"), f"{category}.toml")
    return tuple(_unique(found))


def read_seeds(path: Path) -> tuple[Seed, ...]:
    """Return the seeds of a file of a team's own.

    Raises:
        ConfigError: it cannot be read, or a row in it is none.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"The file of seeds '{path}' cannot be read.") from None
    return tuple(_unique(_parsed(text, path.name)))


def _parsed(text: str, name: str) -> list[Seed]:
    try:
        rows = msgspec.convert(tomllib.loads(text), type=_File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"The file of seeds '{name}' is wrong: {error}.") from None
    found = []
    for number, row in enumerate(rows.seed, 1):
        where = f"Seed {number} ('{row.get('id', '?')}') of '{name}'"
        try:
            seed = msgspec.convert(rows.common | row, type=Seed)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{where} is wrong: {error}.") from None
        if not seed.strategies:
            seed = msgspec.structs.replace(seed, strategies=_BY_TEST[seed.test])
        if problem := _problem(seed):
            raise ConfigError(f"{where} is wrong: {problem}.")
        found.append(seed)
    return found


def _problem(seed: Seed) -> str:
    """Return what is wrong with a seed, "" if nothing is."""
    if not _ID.fullmatch(seed.id):
        return "its id must be made of small letters, figures and hyphens"
    if seed.category not in CATEGORIES:
        return f"its category must be one of {', '.join(CATEGORIES)}"
    if (seed.category == BENIGN) != (seed.test == "answered"):
        return "harmless requests, and only they, have the test 'answered'"
    if unknown := (*(one for one in seed.owasp if one not in OWASP), *(one for one in seed.atlas if one not in ATLAS)):
        return f"'{unknown[0]}' is no known tag"
    if seed.category != BENIGN and not (seed.owasp and seed.atlas):
        return "it needs a tag of OWASP and one of ATLAS"
    for pattern in (seed.look, seed.unless, seed.arguments):
        try:
            re.compile(pattern)
        except re.error as error:
            return f"a pattern in it cannot be used ({error})"
    return _lacking(seed)


def _lacking(seed: Seed) -> str:
    """Return what the test of a seed needs and does not find, "" if nothing."""
    if seed.test == "marker" and not ("{first}" in seed.attack and "{second}" in seed.attack):
        return "a marker needs {first} and {second} in the attack"
    if seed.test == "leak" and ("{canary}" not in seed.system or "{canary}" in seed.attack):
        return "a leak needs {canary} in what the system says, and only there"
    if seed.test in ("pattern", "compliance") and not seed.look:
        return "it needs a pattern 'look'"
    if seed.test == "tool" and not seed.tools:
        return "it needs the names of tools"
    if seed.test == "length" and seed.least < 1:
        return "it needs the number of words 'least'"
    return ""


def _unique(seeds: Iterable[Seed]) -> Sequence[Seed]:
    kept: dict[str, Seed] = {}
    for seed in seeds:
        if seed.id in kept:
            raise ConfigError(f"Two seeds have the id '{seed.id}'; every id must be another.")
        kept[seed.id] = seed
    return list(kept.values())
