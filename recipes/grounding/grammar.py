"""Pairs without end of a grammar: a relation in the words of a claim, and the same, its opposite or something else in
the words of evidence.

Claim and evidence are drawn apart from each other, so that neither alone tells the label. See ``relations`` for how
templates are written.
"""

import random
import re
from collections.abc import Sequence
from typing import Final

from recipes.grounding.entities import HAND
from recipes.grounding.lexicon import NOUNS, VERBS, form
from recipes.grounding.relations import RELATIONS
from recipes.grounding.relations_more import MORE
from recipes.grounding.sets import CONTRADICTED, SUPPORTED, UNKNOWN

__all__ = ["Grammar"]

_LITERAL: Final = ("({S}", "({N}", "(r =", "(RR", "(95%", "(OR", "(adjusted", "(P ")
_WEIGHTS: Final = {"effect": 8, "need": 4, "risk": 5, "compare": 5, "benefit": 4, "assoc": 3, "harm": 4}
_WEIGHTS.update(superior=3, depends=2, sensitive=2)
_ADVERBS: Final = [
    "significantly",
    "markedly",
    "strongly",
    "substantially",
    "robustly",
    "potently",
    "greatly",
    "dramatically",
    "slightly",
]
_WORDS: Final[dict[str, tuple[Sequence[str], Sequence[str]]]] = {
    "n": (NOUNS["+"], NOUNS["-"]),
    "adj": (
        ["increased", "higher", "elevated", "enhanced", "greater", "raised"],
        ["decreased", "lower", "reduced", "diminished", "impaired", "less"],
    ),
    "cmp": (["higher", "greater"], ["lower", "smaller"]),
    "sup": (("highest", "greatest"), ("lowest", "smallest")),
    "more": (("more",), ("less",)),
    "valence": (("positive", "stimulatory", "stimulating"), ("negative", "inhibitory", "suppressive")),
    "role": (
        ("enhancer", "promoter", "positive regulator", "driver", "activator", "stimulator"),
        ("suppressor", "inhibitor", "negative regulator", "repressor", "antagonist", "brake"),
    ),
    "pos": (("positive", "direct"), ("negative", "inverse")),
    "posly": (("positively", "directly"), ("negatively", "inversely")),
    "minus": (("",), ("-",)),
    "speeds": (("speeds up", "hastens", "accelerates", "advances"), ("slows down", "delays", "postpones", "retards")),
    "speeded": (("hastened", "accelerated", "advanced"), ("slowed", "delayed", "postponed")),
    "sped": (("hastened", "accelerated", "advanced"), ("slowed", "delayed", "postponed")),
    "sooner": (("sooner", "earlier", "faster"), ("later", "more slowly")),
    "shorter": (("shorter", "reduced"), ("longer", "prolonged")),
    "risen": (("risen", "increased", "gone up", "grown"), ("fallen", "decreased", "gone down", "declined")),
    "rising": (("rising", "increasing", "on the increase"), ("falling", "decreasing", "on the decline")),
    "rr": (("1.6", "2.41", "1.8", "3.2", "1.43"), ("0.6", "0.41", "0.7", "0.52", "0.33")),
    "ci": (("1.2 to 4.4", "1.1-5.0", "1.3 to 3.9"), ("0.2 to 0.9", "0.14-0.85", "0.3 to 0.8")),
}
_LOST: Final = "loss of|lack of|deletion of|knockdown of|inhibition of|depletion of|deficiency of|ablation of|blocking"
_GAINED: Final = "overexpression of|activation of|addition of|high levels of|stimulation with|more"


def _side(line: str, at: int, end: str) -> int:
    """Return where the group that begins at ``at`` ends."""
    depth, open_ = 0, line[at]
    for place in range(at, len(line)):
        depth += (line[place] == open_) - (line[place] == end)
        if depth == 0:
            return place
    raise ValueError(line)


class Grammar:
    """Draws pairs; ``found`` are noun phrases of real texts that one acts on the other of, ``fill`` real sentences."""

    def __init__(self, found: Sequence[tuple[str, str]], fill: Sequence[str], rng: random.Random) -> None:
        self.found, self.fill, self.rng = found, fill, rng
        self.rules: dict[str, dict[tuple[str, str], list[str]]] = {}
        for name, text in {**RELATIONS, **MORE}.items():
            table = self.rules.setdefault(name, {})
            for line in text.strip().splitlines():
                side, pole, rest = line.split(" ", 2)
                rest, _, only = rest.partition(" @")
                for one in only.strip() or ("+-" if pole == "d" else pole):
                    table.setdefault((side, one), []).append(rest)
        self.relations = list(self.rules)
        self.shares = [_WEIGHTS.get(name, 1) for name in self.relations]

    def spell(self, text: str, pole: str, names: dict[str, str]) -> str:
        """Return a template written out."""
        rng, parts, at = self.rng, [], 0
        while at < len(text):
            mark = text[at]
            if mark == "[":
                end = _side(text, at, "]")
                parts.append(self.spell(rng.choice(_options(text[at + 1 : end])), pole, names))
            elif mark == "(" and not text.startswith(_LITERAL, at):
                end = _side(text, at, ")")
                if rng.random() < 0.45:
                    parts.append(self.spell(text[at + 1 : end], pole, names))
            elif mark == "<" and (word := re.compile(r"<([A-Za-z]+)>").match(text, at)):
                end = word.end() - 1
                parts.append(self.word(word[1], pole, names))
            elif mark == "{":
                end = text.index("}", at)
                parts.append(self.value(text[at + 1 : end], pole, names))
            elif mark == "~":
                end = at
                parts.append(rng.choice(_ADVERBS) if rng.random() < 0.4 else "")
            else:
                end = at
                parts.append(mark)
            at = end + 1
        return "".join(parts)

    def word(self, slot: str, pole: str, names: dict[str, str]) -> str:
        """Return a word of the direction for a slot."""
        rng = self.rng
        if slot[0] == "o":
            slot, pole = slot[1:], {"+": "-", "-": "+"}.get(pole, pole)
        if slot in ("Loss", "loss", "Gain"):
            phrase = f"{rng.choice((_GAINED if slot == 'Gain' else _LOST).split('|'))} {names['X']}"
            return phrase if slot == "loss" else phrase[0].upper() + phrase[1:]
        side = 0 if pole == "+" else 1 if pole == "-" else rng.randrange(2)
        if slot in _WORDS:
            return rng.choice(_WORDS[slot][side])
        if slot in ("rose", "rises"):
            return form(rng.choice(VERBS[("rise", "fall")[side]]), "ed" if slot == "rose" else "s")
        verbs = VERBS["+-"[side]]
        # The plain ones half of the time.
        return form(rng.choice(verbs[:5] if rng.random() < 0.4 else verbs), slot)

    def value(self, name: str, pole: str, names: dict[str, str]) -> str:
        """Return what a name in braces stands for."""
        rng = self.rng
        if name in names:
            return names[name]
        if name == "S":
            return rng.choice((f"P<0.0{rng.choice('15')}", f"p = 0.00{rng.randint(1, 9)}", "P < 0.001", "p<0.05"))
        if name == "N":
            return rng.choice((f"p = 0.{rng.randint(12, 96)}", "not significant", f"P=.{rng.randint(12, 96)}", "NS"))
        if name == "Q":
            return rng.choice((f"{rng.randint(12, 85)}%", f"{rng.randint(12, 85)} percent"))
        if name in ("rr", "ci"):
            return self.word(name, pole, names)
        number = {"h": rng.randint(41, 89), "l": rng.randint(5, 38), "k": rng.randint(1, 9)}[name]
        return str(number)

    def drawn(self) -> dict[str, str]:
        """Return what the letters stand for in one pair."""
        rng = self.rng
        names = {key: rng.choice(options) for key, options in HAND.items()}
        names["Z"], names["W"] = rng.choice(HAND["Y"]), rng.choice(HAND["X"])
        names["B"] = rng.choice(HAND["A"])
        if rng.random() < 0.7 and self.found:
            names["X"], names["Y"] = rng.choice(self.found)
            if rng.random() < 0.6:
                names["W"], names["Z"] = rng.choice(self.found)
        for key in "DMLF":
            names[key + "2"] = rng.choice(HAND[key])
        if rng.random() < 0.35:
            names["A"], names["B"] = names["X"], names["W"]
        while names["B"] == names["A"]:
            names["B"] = rng.choice(HAND["A"])
        return names

    def draw(self) -> tuple[str, str, int, str]:
        """Return claim, evidence, label and the relation."""
        rng = self.rng
        name = rng.choices(self.relations, self.shares)[0]
        table, names = self.rules[name], self.drawn()
        if name in ("bind", "superior"):
            names["A"], names["B"] = names["X"], names["W"]
        poles = sorted({pole for side, pole in table if side == "c"})
        claim = rng.choice([pole for pole in poles for _ in range(1 if pole in "*0" else 2)])
        label = rng.choices((SUPPORTED, CONTRADICTED, UNKNOWN), (0.38, 0.4, 0.22))[0]
        others = [pole for pole in "+-0" if ("e", pole) in table]
        if label == UNKNOWN:
            said = "u"
        elif claim == "*":
            said = rng.choice("+-") if label == SUPPORTED else "0"
        elif label == SUPPORTED:
            said = claim
        else:
            against = [pole for pole in others if pole != claim]
            # Opposite more often than none.
            said = rng.choice(against + [pole for pole in against if pole != "0"])
        first = self.sentence(rng.choice(table["c", claim]), claim, names)
        # What is left open is written with a direction of chance.
        last = self.sentence(rng.choice(table["e", said]), rng.choice("+-") if said == "u" else said, names)
        return first, self.around(last, table, names), label, name

    def sentence(self, template: str, pole: str, names: dict[str, str]) -> str:
        """Return a sentence, as it is printed."""
        text = " ".join(self.spell(template, pole, names).split())
        text = re.sub(r" (?=[,.;)])", "", text)
        text = re.sub(r"\b([Aa])n? (?=(\w))", lambda one: one[1] + ("n " if one[2] in "aeioAEIO" else " "), text)
        return text[0].upper() + text[1:]

    def around(self, last: str, table: dict[tuple[str, str], list[str]], names: dict[str, str]) -> str:
        """Return the deciding sentence with others beside it: open ones of the same things, or real ones."""
        rng, parts = self.rng, [last]
        draw = rng.random()
        if draw < 0.3:
            more = self.sentence(rng.choice(table["e", "u"]), rng.choice("+-"), names)
            parts.insert(rng.randrange(2), more)
        if (draw < 0.12 or draw > 0.85) and self.fill:
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(self.fill))
        if rng.random() < 0.2:
            lead = rng.choice(("We found that ", "Our results show that ", "Here, we report that ", "In conclusion, "))
            at = parts.index(last)
            keep = last.split(" ", 1)[0]
            parts[at] = lead + (last[0].lower() + last[1:] if keep.isalpha() and not keep.isupper() else last)
        return " ".join(parts)


def _options(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, mark in enumerate(text):
        depth += (mark in "[(") - (mark in "])")
        if mark == "|" and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]
