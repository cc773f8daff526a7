"""The pairs that the verifier learns from: SciFact's train split, PubMedQA, and edits of sentences of abstracts.

Never used: SciFact's validation claims and the abstracts that they cite (but where a train claim cites one, too),
CLIMATE-FEVER.
"""

import json
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from recipes.grounding.edits import EDITS, flip, name, names_of
from recipes.grounding.sets import CONTRADICTED, SUPPORTED, UNKNOWN, Gold, best, corpus, gold_of, stems

__all__ = ["Book", "Pair", "read", "shortened"]

_LEADS: Final = re.compile(
    r"^(?:[A-Z][A-Z &/]{5,}:? (?=[A-Z])|(?:Here,? |Moreover,? |Furthermore,? |However,? |Thus,? |In conclusion,? |"
    r"Therefore,? |In addition,? |Finally,? |In contrast,? |Together,? |Additionally,? |Importantly,? )|"
    r"(?:Taken together, )?(?:[Ww]e|[Tt]hese (?:results|data|findings)|[Oo]ur (?:results|data|findings|study|work)|"
    r"[Tt]he (?:results|data|findings)|[Tt]his study)(?: here| also| further| thus| therefore| clearly)*"
    r" (?:have )?(?:show|shows|showed|shown|suggest|suggests|suggested|indicate|indicates|indicated|demonstrate|"
    r"demonstrates|demonstrated|found|find|report|reveal|revealed|conclude|concluded|propose|observed)"
    r"(?: here)?,? that )"
)
_ASKED: Final = re.compile(r"^(?:Do|Does|Did|Is|Are|Was|Were|Can|Could|Has|Have|Should|Will|Would|May) ")


@dataclass(frozen=True)
class Pair:
    """A claim, evidence, and what one says of the other; ``kind`` tells where it is from."""

    claim: str
    evidence: str
    label: int
    weight: float = 1.0
    kind: str = ""


def sentences_of(text: str) -> list[str]:
    """Cut plain English text at full stops before a capital."""
    return [one for one in re.split(r"(?<=[a-z0-9)%][.?!]) +(?=[A-Z])", text) if len(one) > 15]


def shortened(text: str, rng: random.Random) -> str:
    """Return a sentence without what introduces it, sometimes without brackets and side remarks."""
    new = _LEADS.sub("", text)
    if rng.random() < 0.7:
        new = re.sub(r" ?\([^()]*\)", "", new)
    if rng.random() < 0.3:
        new = re.sub(r", (?:which|whereas|while|suggesting|indicating|including|and thus)\b[^,;]*(?=[.,;]|$)", "", new)
    new = new.strip()
    return new[0].upper() + new[1:] if len(new) > 25 else text


@dataclass
class Book:
    """All that may be learnt from, and how to draw pairs from it."""

    gold: list[Gold]
    texts: dict[int, list[str]]
    titles: dict[int, str]
    #: Abstracts whose sentences may be edited.
    free: list[int]
    questions: list[dict[str, Any]]
    rng: random.Random
    names: list[str] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in self.free:
            words = stems(self.titles[key] + " " + " ".join(self.texts[key]))
            for word in words:
                self.places.setdefault(word, []).append(key)
            self.names += names_of(" ".join(self.texts[key]))[:6]

    def other(self, text: str, own: int = -1) -> int:
        """Return an abstract that shares a rare word with ``text``, and is not its own."""
        found = [word for word in stems(text) if len(self.places.get(word, ())) > 1]
        found.sort(key=lambda word: len(self.places[word]))
        for word in found[:3]:
            options = [key for key in self.places[word] if key != own]
            if options and self.rng.random() < 0.8:
                return self.rng.choice(options)
        return self.rng.choice([key for key in self.rng.sample(self.free, 2) if key != own])

    def window(self, document: int, inside: Sequence[int]) -> str:
        """Return sentences of an abstract: those of ``inside``, often with neighbours."""
        text, rng = self.texts[document], self.rng
        chosen = set(inside)
        for at in inside:
            if rng.random() < 0.2:
                chosen |= {at - 1, at + 1} if rng.random() < 0.5 else {rng.choice((at - 1, at + 1))}
        return " ".join(text[at] for at in sorted(chosen) if 0 <= at < len(text))

    def edited(self, text: str) -> tuple[str, str] | None:
        """Return an edited sentence and the kind of the edit, each kind as likely as another where there is one."""
        kinds = [*EDITS, "name", "negation", "direction", "direction", "number"]
        self.rng.shuffle(kinds)
        for kind in kinds:
            if kind == "name":
                new = name(text, self.rng, self.rng.sample(self.names, 3))
            else:
                new = EDITS[kind](text, self.rng)
            if new is not None and new != text:
                return new, kind
        return None

    def fromgold_of(self, one: Gold) -> Pair | None:
        """Return a pair of a labelled claim, sometimes turned round."""
        rng, text = self.rng, self.texts[one.document]
        if not one.sentences:
            some = best(one.claim, text, rng.choice((1, 2, 2, 3, 3)))
            claim = one.claim
            if rng.random() < 0.3:
                claim = flip(claim, rng) or claim
            return Pair(claim, " ".join(text[at] for at in some), UNKNOWN, kind="gold-nei")
        draw = rng.random()
        if draw < 0.12:
            other = self.other(one.claim, one.document)
            some = best(one.claim, self.texts[other], rng.choice((1, 2)))
            return Pair(one.claim, " ".join(self.texts[other][at] for at in some), UNKNOWN, kind="gold-other")
        evidence = self.window(one.document, one.sentences)
        if draw < 0.45:
            turned = flip(one.claim, rng)
            if turned:
                label = CONTRADICTED if one.label == SUPPORTED else SUPPORTED
                return Pair(turned, evidence, label, 0.9 if one.label == SUPPORTED else 0.6, "gold-flip")
        if draw < 0.52 and one.label == SUPPORTED:
            new = self.edited(one.claim)
            if new:
                label = UNKNOWN if new[1] in ("name", "hedging") else CONTRADICTED
                return Pair(new[0], evidence, label, 0.8, "gold-" + new[1])
        return Pair(one.claim, evidence, one.label, kind="gold")

    def from_question(self, row: dict[str, Any]) -> Pair | None:
        """Return a pair of a question of PubMedQA as a statement, against its conclusion or its contexts."""
        rng = self.rng
        question = row["question"].split("?")[0].strip()
        decision, label = row["final_decision"], {"yes": SUPPORTED, "no": CONTRADICTED, "maybe": UNKNOWN}
        if not _ASKED.match(question) or rng.random() < 0.25:
            return self.from_conclusion(row)
        claim = _ASKED.sub("", question)
        claim = claim[0].upper() + claim[1:] + "."
        found, weight = label[decision], 1.0 if decision != "maybe" else 0.4
        if rng.random() < 0.35 and found != UNKNOWN:
            turned = negation_of(claim, row["question"], rng)
            if turned:
                claim, found = turned, 1 - found
        parts = sentences_of(row["long_answer"])
        draw = rng.random()
        if draw < 0.6 and parts:
            evidence = " ".join(parts[at] for at in best(claim, parts, rng.choice((1, 2, 2, 3))))
        elif draw < 0.85:
            parts = sentences_of(" ".join(row["contexts"]))
            evidence, weight = " ".join(parts[at] for at in best(claim, parts, rng.choice((1, 2, 2, 3)))), weight * 0.5
        else:
            other = self.texts[self.other(claim)]
            evidence, found, weight = (
                " ".join(other[at] for at in best(claim, other, rng.choice((1, 2, 2)))),
                UNKNOWN,
                1.0,
            )
        return Pair(claim, evidence, found, weight, "question")

    def from_conclusion(self, row: dict[str, Any]) -> Pair | None:
        """Return a pair of a sentence of a conclusion against the contexts that it was drawn from."""
        rng = self.rng
        ends = sentences_of(row["long_answer"])
        if not ends:
            return None
        claim = shortened(rng.choice(ends), rng)
        parts = sentences_of(" ".join(row["contexts"]))
        if rng.random() < 0.25 or not parts:
            other = self.texts[self.other(claim)]
            return Pair(
                claim,
                " ".join(other[at] for at in best(claim, other, rng.choice((1, 2, 2)))),
                UNKNOWN,
                kind="conclusion",
            )
        evidence = " ".join(parts[at] for at in best(claim, parts, rng.choice((1, 2, 2, 3))))
        if rng.random() < 0.5:
            new = self.edited(claim)
            if new:
                label = UNKNOWN if new[1] in ("name", "hedging") else CONTRADICTED
                return Pair(new[0], evidence, label, 0.7, "conclusion-" + new[1])
        return Pair(claim, evidence, SUPPORTED, 0.5, "conclusion")

    def from_title(self, key: int) -> Pair | None:
        """Return a pair of an abstract's title that says something, against the sentences nearest to it."""
        rng, title, text = self.rng, self.titles[key], self.texts[key]
        if not re.search(
            r"\b(?:is|are|has|have|does|can|with|in|by|\w+[aeiou]tes|\w+(?:ses|ces|ves|bits|mits|ents|mines))\b", title
        ) or title.endswith("?"):
            return None
        if len(text) < 3:
            return None
        if rng.random() < 0.3:
            other = self.texts[self.other(title, key)]
            return Pair(
                title, " ".join(other[at] for at in best(title, other, rng.choice((1, 2)))), UNKNOWN, kind="title"
            )
        return self.turned(title, self.window(key, best(title, text, rng.choice((1, 1, 2)))), 0.7, "title")

    def from_ending(self, key: int) -> Pair | None:
        """Return a pair of a sentence that sums an abstract up, against the sentences nearest to it."""
        rng, text = self.rng, self.texts[key]
        if len(text) < 5:
            return None
        at = len(text) - rng.choice((1, 1, 1, 2))
        claim, rest = shortened(text[at], rng), text[:at]
        if not 30 < len(claim) < 260 or len(stems(claim) & stems(" ".join(rest))) < 4:
            return None
        return self.turned(
            claim, " ".join(rest[one] for one in best(claim, rest, rng.choice((1, 2, 2)))), 0.5, "ending"
        )

    def turned(self, claim: str, evidence: str, weight: float, kind: str) -> Pair | None:
        """Return a pair of which the evidence bears the claim out, or one with a side turned round."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.35:
            return Pair(claim, evidence, SUPPORTED, weight, kind)
        if draw < 0.75:
            new = flip(claim, rng)
            return None if new is None else Pair(new, evidence, CONTRADICTED, weight, kind + "-flip")
        if draw < 0.85 and len(sentences_of(evidence)) < 2:
            other = flip(evidence, rng)
            return None if other is None else Pair(claim, other, CONTRADICTED, weight * 0.7, kind + "-flip")
        edit = self.edited(claim)
        if edit is None:
            return None
        label = UNKNOWN if edit[1] in ("name", "hedging") else CONTRADICTED
        return Pair(edit[0], evidence, label, weight, f"{kind}-{edit[1]}")

    def from_sentence(self, key: int) -> Pair | None:
        """Return a pair of a sentence against what stands around it; claim, evidence, both or neither edited."""
        rng, text = self.rng, self.texts[key]
        if len(text) < 4:
            return None
        at = rng.randrange(1, len(text))
        sentence = text[at]
        if not 40 < len(sentence) < 300:
            return None
        claim = shortened(sentence, rng)
        draw = rng.random()
        if draw < 0.2:
            without = text[:at] + text[at + 1 :]
            evidence = " ".join(without[place] for place in best(claim, without, rng.choice((1, 2))))
            last = at == len(text) - 1
            return Pair(claim, evidence, SUPPORTED if last else UNKNOWN, 0.3 if last else 0.6, "rest")
        around = [text[place] for place in range(at - 1, at + 2) if 0 <= place < len(text) and place != at]
        extra = rng.sample(around, min(len(around), rng.choice((0, 0, 1))))
        new = self.edited(claim)
        if new is None:
            return Pair(claim, " ".join([sentence, *extra]), SUPPORTED, 0.4, "same")
        changed, kind = new
        lost = UNKNOWN if kind in ("name", "hedging") else CONTRADICTED
        draw = rng.random()
        if draw < 0.15:
            pair = claim, sentence, SUPPORTED
        elif draw < 0.3:
            pair = changed, changed, SUPPORTED
        elif draw < 0.65:
            pair = changed, sentence, lost
        else:
            pair = claim, changed, lost if kind != "hedging" else SUPPORTED
        order = [pair[1], *extra]
        rng.shuffle(order)
        return Pair(pair[0], " ".join(order), pair[2], 0.8, "same-" + kind)

    def draw(self, share: float) -> Pair:
        """Return a pair: of SciFact's claims with probability ``share``, else of one of the other kinds."""
        rng = self.rng
        while True:
            if rng.random() < share:
                pair = self.fromgold_of(rng.choice(self.gold))
            else:
                kind = rng.random()
                if kind < 0.33:
                    pair = self.from_question(rng.choice(self.questions))
                elif kind < 0.58:
                    pair = self.from_title(rng.choice(self.free))
                elif kind < 0.8:
                    pair = self.from_ending(rng.choice(self.free))
                else:
                    pair = self.from_sentence(rng.choice(self.free))
            if pair is not None and pair.evidence:
                return pair


def negation_of(claim: str, question: str, rng: random.Random) -> str | None:
    """Return a statement made of a question, negated by the verb that asked where nothing else can be turned."""
    turned = flip(claim, rng)
    if turned:
        return turned
    return f"It is not true that {claim[0].lower()}{claim[1:]}" if question else None


def read(data: Path, seed: int, held: float = 0.12) -> tuple[Book, Book]:
    """Return what to learn from, and what to choose by: split by document, so that no abstract is on both sides."""
    rng = random.Random(seed)
    gold = list(gold_of(data / "scifact/claims_train.jsonl"))
    abstracts = corpus(data)
    lines = (data / "scifact/claims_validation.jsonl").read_text(encoding="utf-8").splitlines()
    # Only the numbers of the abstracts are read of the validation claims: to leave those abstracts out.
    measured = {document for line in lines for document in json.loads(line)["cited_doc_ids"]}
    groups: dict[int, int] = {}

    def root(key: int) -> int:
        while groups.setdefault(key, key) != key:
            key = groups[key]
        return key

    for one in gold:
        groups[root(one.document)] = root(-1 - one.number)
    roots = sorted({root(one.document) for one in gold})
    kept = set(rng.sample(roots, int(len(roots) * held)))
    away = {one.document for one in gold if root(one.document) in kept}
    titles = {key: title for key, (title, _) in abstracts.items()}
    texts = {key: text for key, (_, text) in abstracts.items()}
    free = [key for key in sorted(abstracts) if key not in measured]
    aside = set(rng.sample(free, int(len(free) * 0.05))) | away
    with (data / "pubmedqa/pqal.jsonl").open(encoding="utf-8") as file:
        questions = [json.loads(line) for line in file]
    first = set(rng.sample(range(len(questions)), int(len(questions) * held)))

    def side(mine: bool) -> Book:
        return Book(
            [one for one in gold if (root(one.document) in kept) == mine],
            texts,
            titles,
            [key for key in free if (key in aside) == mine],
            [row for at, row in enumerate(questions) if (at in first) == mine],
            random.Random(seed + mine),
        )

    return side(False), side(True)
