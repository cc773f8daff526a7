"""Finds personal data in a text: patterns, numbers of identity, names and addresses, own patterns and lists.

One pass for each detector, then overlaps are settled by score. It knows neither rails nor what becomes of what it
finds.
"""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from mainstay.guardrails.personal.config import PersonalConfig
from mainstay.guardrails.personal.contexts import Contexts, open_contexts
from mainstay.guardrails.personal.horizon import horizon
from mainstay.guardrails.personal.ids import IDS
from mainstay.guardrails.personal.names import Tagger, open_tagger
from mainstay.guardrails.personal.papers import PAPERS
from mainstay.guardrails.personal.patterns import PATTERNS
from mainstay.guardrails.personal.settle import settle
from mainstay.guardrails.personal.spans import join
from mainstay.guardrails.port import Finding, Scanner

__all__ = ["REACH", "PersonalScanner", "open_personal"]

#: Characters around a finding that count, and its greatest length: the longest run of words, and the six words of 24
#: and the gaps of 6 that tell where it ends.
REACH: Final = 320
#: Characters at the end of a text that nearly always tell how much of it is final.
_NEAR_END: Final = 200
#: Where numbers of identity can be at all: digits, capitals and what separates them.
_REGION: Final = re.compile(r"[A-Z\d+()/. -]{7,}+")
_BLANK: Final = re.compile(r"\s")
_DIGIT: Final = re.compile(r"\d")
#: Cards and telephones have seven digits at least, and no more than this between two of them: to look for that once is
#: quicker than to try each pattern.
_DENSE: Final = re.compile(r"\d(?:\D{0,6}\d){6}")
_MANY: Final = frozenset({"card", "phone"})
_NAMED: Final = frozenset({"person", "place", "organisation", "nationality", "address"})
#: A longer match of a company's own pattern does not count.
_OWN: Final = 160
_SURE: Final = 0.97


class PersonalScanner:
    """See :class:`~mainstay.guardrails.port.Scanner`. Safe to share between threads.

    Args:
        config: what is looked for.
        contexts: words near a place.
        tagger: finds names; None leaves them out.
        others: further scanners of personal data, heard beside the own.
    """

    def __init__(
        self, config: PersonalConfig, contexts: Contexts, tagger: Tagger | None, others: Sequence[Scanner] = ()
    ) -> None:
        kinds = frozenset(config.kinds)
        self._kinds = kinds | frozenset(config.patterns) | frozenset(config.lists)
        self._least = config.threshold
        self._contexts = contexts
        self._tagger = tagger if kinds & _NAMED else None
        self._others = tuple(others)
        self._rules = [(rule, re.compile(rule.pattern)) for rule in (*PATTERNS, *PAPERS) if rule.kind in kinds]
        self._ids = [
            (rule, re.compile(rule.pattern), _words(rule.words))
            for rule in IDS
            if "national_id" in kinds and (config.countries is None or rule.country in config.countries)
        ]
        self._own = [(kind, own, re.compile(own.pattern), _words(own.context)) for kind, own in config.patterns.items()]
        self._lists = [(kind, _words(values)) for kind, values in config.lists.items() if values]
        #: Whether nothing is looked for but what we know the bounds of.
        self._bounded = not (self._own or self._lists or self._others)
        self._allowed = frozenset(value.casefold() for value in config.allow)

    @property
    def kinds(self) -> frozenset[str]:
        """What it can find."""
        return self._kinds

    @property
    def reach(self) -> int:
        """Characters around a finding that it may depend on."""
        return max([REACH, *(other.reach for other in self._others)])

    @property
    def step(self) -> int:
        """Characters of a stream that come together before it is worth looking: names take most of a millisecond."""
        return 64 if self._tagger is not None else 48

    def settled(self, text: str) -> int:
        """Return how many characters of ``text``, from its start, are judged alike whatever follows it."""
        size = len(text)
        least = max(0, size - 2 * self.reach)
        if self._bounded:
            for span in (_NEAR_END, 2 * self.reach):
                low = max(0, size - span)
                if low:
                    # Not from within a word.
                    blank = _BLANK.search(text, low)
                    low = blank.start() if blank is not None else size
                end = text[low:]
                if final := horizon(end, self._tagger.tokens(end) if self._tagger is not None else ()):
                    return max(least, low + final)
                if not low:
                    break
        return least

    def scan(self, text: str) -> Sequence[Finding]:
        """Return the personal data in ``text``; see :class:`~mainstay.guardrails.port.Scanner`."""
        found = [*self._patterns(text), *self._numbers(text), *self._customs(text)]
        if self._tagger is not None:
            near = partial(self._contexts.near, "address", text)
            found += join(text, self._tagger.tag(text), self._least, near)
        for other in self._others:
            found += other.scan(text)
        least, kinds, allowed = self._least, self._kinds, self._allowed
        found = [one for one in found if one.score >= least and one.kind in kinds]
        if allowed:
            found = [one for one in found if text[one.start : one.end].casefold() not in allowed]
        return settle(found, text) if len(found) > 1 else found

    def _patterns(self, text: str) -> Iterator[Finding]:
        near = self._contexts.near
        dense = _DENSE.search(text) is not None
        for rule, pattern in self._rules:
            if not dense and rule.kind in _MANY:
                continue
            if rule.needs and not any(need in text for need in rule.needs.split("|")):
                continue
            for match in pattern.finditer(text):
                start, end = match.span("value" if "value" in pattern.groupindex else 0)
                if rule.check is not None and not rule.check(text[start:end]):
                    continue
                score = rule.score
                if rule.context and score < rule.near and near(rule.context, text, start, end):
                    score = rule.near
                yield Finding(start, end, rule.kind, score, rule.name)

    def _numbers(self, text: str) -> Iterator[Finding]:
        if not self._ids:
            return
        for region in _REGION.finditer(text):
            if _DIGIT.search(region[0]) is None:
                continue
            low = max(0, region.start() - 1)
            part = text[low : region.end() + 2]
            for rule, pattern, words in self._ids:
                for match in pattern.finditer(part):
                    if not rule.check(match[0]):
                        continue
                    start, end = match.start() + low, match.end() + low
                    score = rule.score if not _beside(words, text, start, end) else _SURE
                    yield Finding(start, end, "national_id", score, rule.name)

    def _customs(self, text: str) -> Iterator[Finding]:
        for kind, own, pattern, words in self._own:
            for match in pattern.finditer(text):
                if match.end() - match.start() > _OWN or match.end() == match.start():
                    continue
                if own.context and not _beside(words, text, *match.span()):
                    continue
                yield Finding(*match.span(), kind, own.score, f"pattern:{kind}")
        for kind, pattern in self._lists:
            for match in pattern.finditer(text):
                yield Finding(*match.span(), kind, 1.0, f"list:{kind}")


def open_personal(config: PersonalConfig) -> PersonalScanner:
    """Load what ``config`` asks for: megabytes and some hundred milliseconds where names are wanted, so once a worker.

    Raises:
        StartError: Presidio is asked for and not installed.
    """
    others: list[Scanner] = []
    if config.presidio:
        from mainstay.guardrails.personal.presidio import open_presidio

        others.append(open_presidio())
    named = config.names and not _NAMED.isdisjoint(config.kinds)
    return PersonalScanner(config, open_contexts(config.locales), open_tagger() if named else None, others)


def _words(words: Sequence[str]) -> re.Pattern[str]:
    """Return what matches one of ``words`` as a whole, whatever its case; of several the longest."""
    if not words:
        return re.compile("(?!)")
    parts = "|".join(re.escape(word) for word in sorted(words, key=lambda word: (-len(word), word)))
    return re.compile(rf"(?<!\w)(?:{parts})(?!\w)", re.IGNORECASE)


def _beside(words: re.Pattern[str], text: str, start: int, end: int) -> bool:
    return words.search(text, max(0, start - 64), end + 24) is not None
