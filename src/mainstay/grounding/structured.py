"""Answers that are JSON: not a sign of them changes, and what their texts say is cited afterwards.

The model is asked for no marks, which would stand in values. Once a choice is complete, each text in it (never a name)
is taken apart into claims; a claim whose words a source has is cited, by where it stands in the JSON as it is written,
escapes and all. Claims are checked like any others; nothing is taken out of JSON.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from mainstay.core.events import Cited, Event, Finished, TextDelta
from mainstay.core.record import Grounding
from mainstay.core.sources import Citation, Claim, Pin
from mainstay.grounding.answering import Ungrounded
from mainstay.grounding.attribution import Passages
from mainstay.grounding.checking import Checks, bearing
from mainstay.grounding.citing import cite, judged, told
from mainstay.grounding.claims import claims
from mainstay.grounding.policies import Rule

__all__ = ["Structured", "texts_of"]

_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?', re.DOTALL)
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL
)
#: Characters of JSON that are looked through for claims.
_MOST: Final = 200_000


class Structured:
    """Takes the events of one answer and gives back those that leave; see
    :class:`~mainstay.grounding.answering.Answering`."""

    def __init__(self, rule: Rule, passages: Passages, checks: Checks, pin: Pin | None, grounding: Grounding) -> None:
        self._rule = rule
        self._passages = passages
        self._checks = checks
        self._pin = pin
        self._grounding = grounding
        self._texts: dict[int, list[str]] = {}
        #: Claims that no source supports, once all is checked.
        self.unsupported: list[str] = []

    async def take(self, event: Event, out: list[Event]) -> None:
        """Take an event; append to ``out`` what leaves.

        Raises:
            Ungrounded: a claim is not supported, and the policy is to refuse the answer or to ask a person.
        """
        if isinstance(event, TextDelta):
            self._texts.setdefault(event.choice, []).append(event.text)
        elif isinstance(event, Finished):
            await self._finish(event.choice, out)
        out.append(event)

    async def stop(self) -> None:
        """Give up what is still being checked."""
        await self._checks.stop()

    async def _finish(self, choice: int, out: list[Event]) -> None:
        text = "".join(self._texts.pop(choice, ()))
        said = list(_said(text[:_MOST]))
        found = [self._passages.attribute(words) for _, _, words, _ in said]
        tasks = [
            self._checks.start(words, before, (number,) if number else ())
            for (_, _, words, before), number in zip(said, found, strict=True)
        ]
        checked = await self._checks.settle(tasks, self._rule.patience)
        counts: dict[str, int] = {}
        citations: list[Citation] = []
        faults: list[str] = []
        for (start, end, words, _), number, one in zip(said, found, checked, strict=True):
            counts[one.verdict] = counts.get(one.verdict, 0) + 1
            if one.verdict in self._rule.faults:
                faults.append(words)
            numbers = (number,) if number else bearing(words, one, self._passages)
            if numbers:
                claim = Claim(start, end, text[start:end], choice)
                made = cite(claim, words, numbers, self._passages, marked=False)
                citations += [judged(citation, by, one) for by, citation in made]
        self.unsupported += faults
        if faults and self._rule.unsupported in ("refuse", "review"):
            raise Ungrounded(faults)
        out += [Cited(citation, choice) for citation in citations]
        out.append(told(self._grounding, self._pin, len(self._passages.sources), choice, citations, counts))


def _said(text: str) -> Iterator[tuple[int, int, str, str]]:
    """Yield the claims of a JSON text: where each stands in it, what it says, and the claim before it in its value."""
    for words, places in texts_of(text):
        before = ""
        for one in claims(words):
            if one.checkable:
                claim = words[one.start : one.end]
                yield places[one.start], places[one.end], claim, before
                before = claim


def texts_of(text: str) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield the texts in a JSON text, in order, names left out: each as it reads, and where each of its characters and
    its end stand in ``text``."""
    for found in _STRING.finditer(text):
        if found[2] is not None:
            continue
        written, start = found[1], found.start(1)
        if "\\" not in written:
            yield written, range(start, start + len(written) + 1)
            continue
        said: list[str] = []
        places: list[int] = []
        position = 0
        for escape in _ESCAPE.finditer(written):
            places += range(start + position, start + escape.start())
            said.append(written[position : escape.start()])
            character = _unescaped(escape[0])
            said.append(character)
            places += [start + escape.start()] * len(character)
            position = escape.end()
        said.append(written[position:])
        places += range(start + position, start + len(written) + 1)
        yield "".join(said), places


def _unescaped(escape: str) -> str:
    try:
        return msgspec.json.decode(f'"{escape}"', type=str)
    except msgspec.DecodeError:
        # No JSON, or half of a character.
        return "\ufffd"
