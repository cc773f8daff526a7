"""Words and patterns of a company's own: scanners whose reach and time are bounded, or are refused.

A pattern must have a greatest length, so that a stream shows what the whole shows, and few ways to match, so that no
text makes it slow. Pure; knows no rails.
"""

import importlib
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from mainstay.guardrails.port import Finding

__all__ = ["LONGEST", "PatternScanner", "check_pattern", "pattern_scanner", "word_scanner"]

#: Characters that a match, with all that it looks ahead and back at, may take.
LONGEST: Final = 400
#: Ways in which a pattern may match from one place, at most: each costs some nanoseconds at every place of a text.
_WAYS: Final = 100_000
#: Words that are looked for one by one before all of them are.
_FEW: Final = 64
#: Places that depend on where a text begins or ends, which a stream does not know.
_EDGES: Final = frozenset({"AT_BEGINNING_STRING", "AT_END_STRING"})


def check_pattern(pattern: str) -> int:
    """Return the greatest number of characters that ``pattern`` looks at.

    Raises:
        ValueError: it is no regular expression, has no such number, or may take long; the message says what to write.
    """
    # The library's own reader: its tree is what is compiled. It warns of what a later Python reads otherwise.
    reader = importlib.import_module("re._parser")
    try:
        tree = reader.parse(pattern, re.MULTILINE)
        if re.compile(pattern, re.MULTILINE).match(""):
            raise ValueError("matches nothing at all; let it match one character at least")
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"is no regular expression: {error}") from None
    width, ways = _size(list(tree), {})
    if width > LONGEST:
        raise ValueError(f"may match more than {LONGEST} characters; bound its repetitions: \\d{{1,20}} for \\d+")
    if ways > _WAYS:
        raise ValueError(
            "has too many ways to match, which a text could make slow; repeat less, or in one way only: \\w{1,20}+"
        )
    return int(width)


def _size(nodes: Sequence[Any], groups: dict[int, float]) -> tuple[float, float]:
    """Return the most characters that ``nodes`` look at, and in how many ways they match at most."""
    width, ways = 0.0, 1.0
    for operation, value in nodes:
        more, times = _one(str(operation), value, groups)
        width += more
        ways = min(ways * times, math.inf)
    return width, ways


def _one(operation: str, value: Any, groups: dict[int, float]) -> tuple[float, float]:
    if operation in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, body = value
        width, ways = _size(list(body), groups)
        if int(most) > LONGEST:
            return math.inf, 1.0
        if operation == "POSSESSIVE_REPEAT":
            return width * int(most), ways
        return width * int(most), math.fsum(_power(ways, count) for count in range(int(least), int(most) + 1))
    if operation == "SUBPATTERN":
        width, ways = _size(list(value[3]), groups)
        groups[value[0]] = width
        return width, ways
    if operation == "BRANCH":
        sizes = [_size(list(branch), groups) for branch in value[1]]
        return max(width for width, _ in sizes), sum(ways for _, ways in sizes)
    if operation in ("ASSERT", "ASSERT_NOT"):
        return _size(list(value[1]), groups)
    if operation == "ATOMIC_GROUP":
        return _size(list(value), groups)[0], 1.0
    if operation == "GROUPREF":
        return groups.get(value, 0.0), 1.0
    if operation == "GROUPREF_EXISTS":
        sizes = [_size(list(branch or ()), groups) for branch in value[1:]]
        return max(width for width, _ in sizes), sum(ways for _, ways in sizes)
    if operation == "AT":
        if str(value) in _EDGES:
            raise ValueError("asks for the beginning or the end of the whole text (\\A, \\Z); ask for a line's: ^, $")
        # A line ends and a word begins beside the character that stands there.
        return 1.0, 1.0
    return 1.0, 1.0


def _power(ways: float, count: int) -> float:
    return math.inf if ways > 1 and count * math.log(ways) > 60 else ways**count


class PatternScanner:
    """Finds one kind; see :class:`~mainstay.guardrails.port.Scanner`. Matches that overlap are one finding.

    Args:
        kind: what is found.
        patterns: what it may look like.
        longest: characters that a match looks at.
        needs: in small letters, words of which each text of ASCII must have one; none: it need not.
    """

    def __init__(self, kind: str, patterns: Iterable[re.Pattern[str]], longest: int, needs: Sequence[str] = ()) -> None:
        self._kind = kind
        self._needs = tuple(needs)
        self._searches = [pattern.search for pattern in patterns]
        self._reach = longest + 1

    @property
    def kinds(self) -> frozenset[str]:
        """See the port."""
        return frozenset({self._kind})

    @property
    def reach(self) -> int:
        """See the port."""
        return self._reach

    def scan(self, text: str) -> Sequence[Finding]:
        """See the port."""
        if self._needs and text.isascii():
            small = text.lower()
            if not any(need in small for need in self._needs):
                return []
        spans: list[tuple[int, int]] = []
        for search in self._searches:
            match = search(text)
            # From the next character on, not from the end of a match: no match may depend on those before it.
            while match is not None:
                spans.append(match.span())
                match = search(text, match.start() + 1)
        spans.sort()
        found: list[Finding] = []
        for start, end in spans:
            if found and start < found[-1].end:
                if end > found[-1].end:
                    found[-1] = Finding(found[-1].start, end, self._kind, 1.0, self._kind)
            else:
                found.append(Finding(start, end, self._kind, 1.0, self._kind))
        return found


def word_scanner(words: Iterable[str]) -> PatternScanner:
    """Return what finds whole words and phrases, whatever their case; up to four blanks stand for one."""
    ordered = sorted(set(words), key=lambda word: (-len(word), word))
    spelt = "|".join(r"\s{1,4}".join(map(re.escape, word.split())) for word in ordered)
    longest = max(len(word) + 3 * word.count(" ") for word in ordered) + 1
    # The longest part of each: to look for it is many times faster, as long as there are not too many.
    needs = {max(word.split(), key=len).lower() for word in ordered}
    pattern = re.compile(rf"(?<!\w)(?:{spelt})(?!\w)", re.IGNORECASE)
    return PatternScanner("word", [pattern], longest, sorted(needs) if len(needs) <= _FEW else ())


def pattern_scanner(patterns: Sequence[str]) -> PatternScanner:
    """Return what finds any of ``patterns``.

    Raises:
        ValueError: as :func:`check_pattern`.
    """
    longest = max(map(check_pattern, patterns))
    return PatternScanner("pattern", [re.compile(one, re.MULTILINE) for one in patterns], longest)
