"""Sentences with invented people, places and firms, each word labelled: what the tagger of names is trained on.

Real sentences carry labels from a larger tagger (``silver.py``); a part of their names is exchanged for names of some
fifty locales, so that the model learns the sentences and not the names. The patterns are ours
(``patterns.txt``: support, mail, records, forms; ``plain.txt``: logs, code, headings, which hold nothing).
A slot is ``{kind}``; what has no label stands for itself.
"""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import faker
from faker.config import AVAILABLE_LOCALES

from recipes.personal import lists

__all__ = ["Maker", "Marked", "quoted"]


_LATIN = [locale for locale in AVAILABLE_LOCALES if locale.split("_")[0] in lists.WORDS["languages"]]
_SYLLABLES = lists.WORDS["syllables"]
_FORMS = lists.WORDS["forms"]
_UNITS = ("Apt.", "Suite", "Unit", "Flat", "Apt", "#", "Floor")
_TITLES = ("Mr.", "Mrs.", "Ms.", "Dr.", "Mr", "Mrs", "Ms", "Dr", "Miss", "Prof.")


class Marked(NamedTuple):
    """A text and its labelled places: start, end, label."""

    text: str
    marks: list[tuple[int, int, str]]


def quoted(marked: Marked, mark: str) -> Marked:
    """Return the text with ``mark`` before each line, as in an answer to a mail or a list."""
    marks = []
    lines = marked.text.split("\n")
    starts = [sum(len(line) + 1 for line in lines[:number]) for number in range(len(lines))]
    text = "\n".join(mark + line for line in lines)
    for start, end, label in marked.marks:
        moved = len(mark) * sum(place <= start for place in starts)
        grown = len(mark) * sum(start < place < end for place in starts)
        marks.append((start + moved, end + moved + grown, label))
    return Marked(text, marks)


class Maker:
    """Makes sentences and exchanges names in real ones, repeatably."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._first = sorted(lists.first_names())
        self._last = sorted(lists.last_names())
        self._city = sorted(lists.cities())
        self._country = sorted(lists.countries())
        self._nation = sorted(lists.nationalities())
        self._fakers = []
        for locale in _LATIN:
            one = faker.Faker(locale)
            one.seed_instance(seed)
            self._fakers.append(one)
        self._makers: dict[str, tuple[str, Callable[[], str]]] = {
            "name": ("PER", self.name),
            "first": ("PER", self.first),
            "last": ("PER", self.last),
            "org": ("ORG", self.org),
            "city": ("LOC", self.city),
            "country": ("LOC", lambda: self.random.choice(self._country)),
            "nation": ("NRP", lambda: self.random.choice(self._nation)),
            "address": ("ADR", self.address),
            "street": ("ADR", lambda: self._fake().street_name()),
            "streetno": ("ADR", lambda: self._fake().street_address().replace("\n", ", ")),
            "postcode": ("ADR", lambda: self._fake().postcode()),
            "title": ("", lambda: self.random.choice(_TITLES)),
            "unit": (
                "ADR",
                lambda: f"{self.random.choice(_UNITS)} {self.random.randint(1, 999)}",
            ),
            "age": ("", lambda: str(self.random.randint(1, 99))),
            "num": ("", lambda: str(self.random.randint(100, 10 ** self.random.randint(3, 9)))),
            "small": ("", lambda: str(self.random.randint(1, 99))),
            "email": ("", lambda: self._fake().email()),
        }
        self._patterns = _lines("patterns.txt")
        self._plain = _lines("plain.txt")

    def sentences(self, count: int) -> Iterator[Marked]:
        """Make ``count`` texts of one to three patterns, every fourth pattern without anything to find."""
        for _ in range(count):
            text, marks = "", []
            for _ in range(self.random.choice((1, 1, 1, 2, 3))):
                patterns = self._plain if self.random.random() < 0.25 else self._patterns
                made = self._fill(self.random.choice(patterns))
                if text:
                    text += self.random.choice((" ", " ", "\n", "\n\n"))
                if self.random.random() < 0.05:
                    made = quoted(made, self.random.choice(("> ", ">", "| ", "  ", "    ", "- ")))
                marks += [(start + len(text), end + len(text), label) for start, end, label in made.marks]
                text += made.text
            yield self.cased(Marked(text, marks))

    def cased(self, marked: Marked) -> Marked:
        """Return a text as it is, or one in ten as people in a hurry write it: all small, or all large."""
        chance = self.random.random()
        text = marked.text.lower() if chance < 0.08 else marked.text.upper() if chance < 0.1 else marked.text
        return Marked(text, marked.marks) if len(text) == len(marked.text) else marked

    def exchanged(self, text: str, marks: list[tuple[int, int, str]]) -> Marked:
        """Return ``text`` with about two thirds of its names exchanged for others of their kind."""
        done, placed, position = "", [], 0
        for start, end, label in marks:
            done += text[position:start]
            value = text[start:end]
            if self.random.random() < 0.65 and value[0].isupper():
                if label == "PER":
                    value = self.name() if " " in value else self.random.choice((self.first, self.last))()
                elif label == "LOC":
                    value = self.random.choice((self.city, lambda: self.random.choice(self._country)))()
                elif label == "ORG" and self.random.random() < 0.5:
                    value = self.org()
                elif label == "NRP" and value.endswith(("n", "sh", "ese")):
                    value = self.random.choice(self._nation)
            placed.append((len(done), len(done) + len(value), label))
            done += value
            position = end
        return self.cased(Marked(done + text[position:], placed))

    def first(self) -> str:
        """Return a first name, from a list or a locale's generator."""
        return self._fake().first_name() if self.random.random() < 0.5 else self.random.choice(self._first)

    def last(self) -> str:
        """Return a last name; some are double."""
        name = self._fake().last_name() if self.random.random() < 0.5 else self.random.choice(self._last)
        return f"{name}-{self.random.choice(self._last)}" if self.random.random() < 0.04 else name

    def name(self) -> str:
        """Return a full name, with an initial at times."""
        middle = (
            f" {self.random.choice('ABCDEFGHJKLMNPRSTVW')}{self.random.choice(('.', ''))}"
            if self.random.random() < 0.15
            else ""
        )
        name = f"{self.first()}{middle} {self.last()}"
        chance = self.random.random()
        return name.upper() if chance < 0.04 else name.lower() if chance < 0.06 else name

    def city(self) -> str:
        """Return a city."""
        return self._fake().city() if self.random.random() < 0.4 else self.random.choice(self._city)

    def org(self) -> str:
        """Return a firm: invented, of people's names, or a locale's."""
        pick = self.random.random()
        made = "".join(self.random.choice(_SYLLABLES) for _ in range(self.random.choice((2, 3, 3)))).title()
        if pick < 0.3:
            return made if self.random.random() < 0.6 else f"{made} {self.random.choice(lists.WORDS['forms'])}"
        if pick < 0.5:
            return f"{self.last()} {self.random.choice(lists.WORDS['forms'])}"
        if pick < 0.6:
            return f"{self.random.choice(('University', 'Bank', 'City', 'Museum'))} of {self.random.choice(self._city)}"
        return self._fake().company()

    def address(self) -> str:
        """Return an address on one line or several."""
        text = self._fake().address()
        if self.random.random() < 0.5:
            text = text.replace("\n", ", ")
        if self.random.random() < 0.3:
            text += self.random.choice((", ", "\n", " ")) + self.random.choice(self._country)
        return text

    def _fake(self) -> faker.Faker:
        return self.random.choice(self._fakers)

    def _fill(self, pattern: str) -> Marked:
        text, marks, position = "", [], 0
        for slot in re.finditer(r"\{(\w+)\}", pattern):
            text += pattern[position : slot.start()]
            label, make = self._makers[slot[1]]
            value = make()
            if label:
                marks.append((len(text), len(text) + len(value), label))
            text += value
            position = slot.end()
        return Marked(text + pattern[position:], marks)


def _lines(name: str) -> list[str]:
    text = (Path(__file__).parent / name).read_text(encoding="utf-8")
    return [line.replace("\\n", "\n") for line in text.splitlines()]
