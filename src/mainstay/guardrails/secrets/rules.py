"""Rules of secrets as rows: what each vendor's credentials look like, read from ``rules/*.toml`` when first asked for.

A row opens at an *anchor*, a literal that a secret of its sort cannot be without: only where one stands is a pattern
tried, and only on the ``span`` characters from there. So a text without anchors costs a search for each, and a finding
depends on its surroundings alone. There are two forms:

- ``pattern``: what begins at the anchor, or at most ``back`` characters before it. The secret is the whole, or the
  group ``value``. It must not touch a letter or figure on either side, unless the row is ``open``.
- ``value``: what is assigned to a name that holds the anchor, in code, JSON, YAML, XML, a shell or a sentence; ``name``
  is what may follow the anchor within the name.

What is found must then have the entropy, pass the ``filter`` and not look made up; see :mod:`.chance`. The forms of
vendors' credentials are facts that they publish; the rows and their patterns are this project's own.
"""

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

from mainstay.core.errors import ConfigError

__all__ = ["KINDS", "Form", "Rule", "all_rules", "compile_rule"]

#: What a rule may find.
KINDS: Final = frozenset({"api_key", "token", "jwt", "password", "private_key", "connection_string", "webhook"})

_ROWS = Path(__file__).with_name("rules")

#: Not inside a longer word; but what stands before may be the end of an escape, in JSON or in an address.
_BEFORE: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
_AFTER: Final = r"(?![A-Za-z0-9])"
#: From the name to the value: = := => : -> , is, a type between, quotes and brackets, escaped or not, or a closing tag.
_TO: Final = (
    r"(?:\\{0,2}[\"'`\])]){0,2}[ \t]{0,4}"
    r"(?:(?::[ ]?[A-Za-z_][\w.\[\]| ]{0,24})?=(?:>|={1,2})?|:=|::?|->|>|,|(?:is|was)[ ])"
    r"[ \t]{0,4}(?:[bBrRfFuU]{0,2}\\{0,2}(?P<quote>[\"'`])|[(>])?"
)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row. ``hits`` and ``misses`` are texts that it must find and leave, filled by :mod:`.samples`."""

    id: str
    about: str
    anchors: tuple[str, ...]
    pattern: str = ""
    value: str = ""
    name: str = r"[\w.-]{0,24}"
    kind: Literal["api_key", "token", "jwt", "password", "private_key", "connection_string", "webhook"] = "api_key"
    #: Shannon's, in bits per character, at least.
    entropy: float = 0.0
    #: ``random``: made of chance; ``key``: that or a UUID; ``password``: what a person may have made up, and no word;
    #: ``basic``: name and password in base64.
    filter: Literal["", "random", "key", "password", "basic"] = ""
    #: Leaves what is made of words; the filters do so anyway.
    words: bool = False
    #: A character may stand many times in a row.
    repeats: bool = False
    #: Anchors are compared without regard to case; those of a ``value`` always are.
    fold: bool = False
    open: bool = False
    back: int = 0
    #: Characters from where it begins that it may look at.
    span: int = 400
    #: Values that are known and no secret: patterns.
    allow: tuple[str, ...] = ()
    score: float = 0.99
    hits: tuple[str, ...]
    misses: tuple[str, ...]


class Form(msgspec.Struct, frozen=True):
    """A rule ready to be used. ``match`` gives what stands at a place, as :meth:`re.Pattern.search` does."""

    rule: Rule
    pattern: re.Pattern[str]
    allow: re.Pattern[str] | None
    #: Whether the value is what is assigned to a name; then its end is judged.
    assigned: bool


def compile_rule(rule: Rule) -> Form:
    """Return ``rule`` ready for use.

    Raises:
        ConfigError: it has no anchor, no pattern, both forms at once, or a pattern that is none.
    """
    if not rule.anchors or not all(rule.anchors):
        raise ConfigError(f"The secret rule '{rule.id}' needs 'anchors': literals that each such secret has.")
    if bool(rule.pattern) == bool(rule.value):
        raise ConfigError(f"The secret rule '{rule.id}' needs either 'pattern' or 'value'.")
    anchors = "|".join(map(re.escape, rule.anchors))
    if rule.value:
        text = f"(?i:(?:{anchors}){rule.name}){_TO}(?P<value>(?:{rule.value}))"
        text += "" if rule.filter else _AFTER
    else:
        inner = rule.pattern if "(?P<value>" in rule.pattern else f"(?P<value>{rule.pattern})"
        text = inner if rule.open else f"{_BEFORE}{inner}{_AFTER}"
    try:
        allow = re.compile("|".join(rule.allow)) if rule.allow else None
        return Form(rule, re.compile(text), allow, bool(rule.value and rule.filter))
    except re.error as error:
        raise ConfigError(f"The secret rule '{rule.id}' has a pattern that is none: {error}.") from None


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return the rows that come with Mainstay, by file and order; read once."""
    rows: list[Rule] = []
    for path in sorted(_ROWS.glob("*.toml")):
        rows += msgspec.convert(tomllib.loads(path.read_text())["rule"], list[Rule])
    return tuple(_without_twins(rows))


def _without_twins(rows: Iterable[Rule]) -> Iterable[Rule]:
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise ConfigError(f"Two secret rules are called '{row.id}'; give one another id.")
        seen.add(row.id)
        yield row
