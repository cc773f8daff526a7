"""What can be wrong with a configuration, as values: where it is, what it is, and the nearest right name.

Every check below yields ``Finding``s, which know a place in the document; the loader turns them into ``Problem``s,
which know the file and the line. Neither ever holds a value that came from the environment or a mounted secret.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Finding", "Place", "Problem", "choices", "clip", "dotted", "nearest", "render"]

#: Keys and list positions from the root of the document to a value.
Place = tuple[str | int, ...]

#: Longest piece of a document that a message repeats.
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong at ``place``: ``message`` says what, ``hint`` what may have been meant."""

    place: Place
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding with its file and line (from 1; 0 when the file as a whole is meant)."""

    file: str
    line: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        what = f"{self.path}: {self.message}" if self.path else self.message
        return f"{where}: {what}; {self.hint}" if self.hint else f"{where}: {what}"


def dotted(place: Place) -> str:
    """Return ``place`` as people write it: ``routes.assistant.targets[0].model``."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{clip(part)}" if text else clip(part)
    return text


def clip(text: str) -> str:
    """Return ``text`` fit for one line of a message."""
    clean = "".join(c if c.isprintable() else "?" for c in text[: _SHOWN + 1])
    return clean if len(clean) <= _SHOWN else f"{clean[:_SHOWN]}…"


def nearest(wrong: str, right: Iterable[str]) -> str:
    """Return ``did you mean 'X'?`` for the name most like ``wrong``, or "" when none is alike."""
    names = {name.lower(): name for name in right}
    found = difflib.get_close_matches(wrong.lower()[:128], names, n=1, cutoff=0.6)
    return f"did you mean '{names[found[0]]}'?" if found else ""


def choices(names: Iterable[str], limit: int = 12) -> str:
    """Return names as a list to read: ``'a', 'b' or 'c'``."""
    quoted = [f"'{clip(name)}'" for name in names]
    if len(quoted) > limit:
        return ", ".join(quoted[:limit]) + f" or one of {len(quoted) - limit} more"
    return " or ".join(filter(None, (", ".join(quoted[:-1]), quoted[-1]))) if quoted else ""


def render(problems: Iterable[Problem]) -> str:
    """Return one line per problem."""
    return "\n".join(str(problem) for problem in problems)
