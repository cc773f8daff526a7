"""Minimal edits that turn a true sentence into one that its source does not support: a number, a unit, a date, a name,
the direction, a negation, a quantifier, a hedge.

Pure and seeded. Each returns the edited sentence, or None where there is nothing of its kind to edit.
"""

import random
import re
from collections.abc import Callable, Sequence
from typing import Final

from mainstay.grounding.edits import DIRECTIONS, exchanged, is_negated, negated, opposites

__all__ = ["EDITS", "flip", "name", "names_of"]

_NUMBER: Final = re.compile(r"(?<![\w.,-])(\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)(?![\w]|[.,]\d)")
_YEAR: Final = re.compile(r"(?<![\w.,-])(1[89]\d\d|20\d\d)(?!\w|[.,]\d)")
_CALENDAR: Final = "January February March April May June July August September October November December"
_MONTHS: Final = _CALENDAR.split()
_MONTH: Final = re.compile(rf"\b({'|'.join(_MONTHS)})\b(?=,? \d| of \d)")
_NAME: Final = re.compile(r"(?<![\w-])(?=[\w-]*[A-Z])(?=[\w-]*(?:[a-zA-Z]\d|[A-Z][\w-]*[A-Z]))[A-Za-z][\w-]*\w")

_QUANTIFIERS: Final = """
all none of the; most few; many few; some no; several no; every no; majority minority; both neither of the; always never
often rarely; usually rarely; frequently seldom; generally rarely; only not only; each no; few most; never always
"""
_HEDGES: Final = (
    (r"\b(?:may|might|could) be\b", "is always"),
    (r"\b(?:may|might|could) have\b", "always have"),
    (r"\b(?:may|might|could)\b", "always"),
    (r"\b(?:appears?|seems?) to be\b", "is proven to be"),
    (r"\b(?:appears?|seems?) to\b", "is proven to"),
    (r"\bsuggests?\b", "proves beyond doubt"),
    (r"\bpossibl[ey]\b", "certainly"),
    (r"\b(?:likely|probably|potentially)\b", "certainly"),
    (r"\bis associated with\b", "is the only cause of"),
    (r"\bare associated with\b", "are the only cause of"),
)
_UNITS: Final = (
    "seconds minutes hours days weeks months years decades",
    "second minute hour day week month year decade",
    "ng µg mg g kg", "nm µm mm cm m km", "µl ml l", "nM µM mM M", "kDa MDa", "patients mice cells rats",
    "women men", "percent fold", "hundred thousand million billion trillion", "adults children infants",
    "dollars euros pounds", "USD EUR", "mice humans", "KB MB GB TB", "°C K",
)  # fmt: skip


_AMOUNTS: Final = opposites(_QUANTIFIERS)


def _any(options: Sequence[str], rng: random.Random) -> str | None:
    return rng.choice(options) if options else None


def number(text: str, rng: random.Random) -> str | None:
    """Change a number that is no year."""
    places = [found for found in _NUMBER.finditer(text) if not _YEAR.fullmatch(found[0])]
    if not places:
        return None
    found = rng.choice(places)
    old = found[0]
    value = float(old.replace(",", ""))
    for _ in range(10):
        new = value * rng.choice((0.1, 0.25, 0.5, 0.8, 1.2, 1.5, 2, 3, 10)) + rng.choice((0, 0, 1, 2))
        digits = len(old.partition(".")[2])
        shown = f"{new:,.{digits}f}" if "," in old else f"{new:.{digits}f}"
        if shown != old:
            return text[: found.start()] + shown + text[found.end() :]
    return None


def unit(text: str, rng: random.Random) -> str | None:
    """Change what a number counts."""
    places = []
    for row in _UNITS:
        for word in row.split():
            places += [(found, row) for found in re.finditer(rf"(?<=\d)[ -]?({re.escape(word)})(?![\w/])", text)]
    if not places:
        return None
    found, row = rng.choice(places)
    new = rng.choice([word for word in row.split() if word != found[1]])
    return text[: found.start(1)] + new + text[found.end(1) :]


def date(text: str, rng: random.Random) -> str | None:
    """Change a year or a month."""
    places = [*_YEAR.finditer(text), *_MONTH.finditer(text)]
    if not places:
        return None
    found = rng.choice(places)
    if found[0].isdigit():
        new = str(int(found[0]) + rng.choice((-20, -10, -7, -3, -2, -1, 1, 2, 4, 9)))
    else:
        new = rng.choice([month for month in _MONTHS if month != found[0]])
    return text[: found.start()] + new + text[found.end() :]


def names_of(text: str) -> list[str]:
    """Return what looks like a name of a gene, drug, product or organisation."""
    return _NAME.findall(text)


def name(text: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """Put another name in the place of one, wherever it stands."""
    found = sorted(set(names_of(text)))
    others = [other for other in others if other not in text]
    if not found or not others:
        return None
    old = rng.choice(found)
    new = rng.choice(others)
    return re.sub(rf"(?<![\w-]){re.escape(old)}(?![\w-])", lambda _: new, text)


def direction(text: str, rng: random.Random) -> str | None:
    """Turn a word into its opposite."""
    return _any(exchanged(text, DIRECTIONS), rng)


def negation(text: str, rng: random.Random) -> str | None:
    """Negate a verb, or take a negation away."""
    return _any(negated(text), rng)


def quantifier(text: str, rng: random.Random) -> str | None:
    """Turn all into none, most into few."""
    return _any(exchanged(text, _AMOUNTS), rng)


def hedging(text: str, rng: random.Random) -> str | None:
    """Claim for certain what is only said to be possible."""
    options = [(pattern, new) for pattern, new in _HEDGES if re.search(pattern, text)]
    if not options:
        return None
    pattern, new = rng.choice(options)
    return re.sub(pattern, new, text, count=1)


#: By kind; ``name`` is apart, since it needs other names.
EDITS: Final[dict[str, Callable[[str, random.Random], str | None]]] = {
    "number": number,
    "unit": unit,
    "date": date,
    "direction": direction,
    "negation": negation,
    "quantifier": quantifier,
    "hedging": hedging,
}


def flip(text: str, rng: random.Random) -> str | None:
    """Turn the meaning of a claim round: by its negation where it has one, else by its direction or a negation."""
    if is_negated(text):
        return negation(text, rng)
    turned = direction(text, rng) if rng.random() < 0.7 else None
    return turned or negation(text, rng) or direction(text, rng)
