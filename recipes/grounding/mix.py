"""What the verifier is trained on, in shares: labelled pairs, generated ones of the abstracts, real sentences with
words of direction exchanged on either side, and the grammar.
"""

import random
import re
from dataclasses import replace

from recipes.grounding.data import Book, Pair, shortened
from recipes.grounding.entities import mined
from recipes.grounding.grammar import Grammar
from recipes.grounding.lexicon import exchanges, reworded
from recipes.grounding.sets import CONTRADICTED, SUPPORTED, UNKNOWN, best, stems

__all__ = ["Mix"]

#: Classes of ``lexicon`` that say more or less of something: a title that does and a sentence that does may be paired.
_AMOUNT = ("raise", "promote", "increase", "higher")


class Mix:
    """Draws pairs of a book."""

    def __init__(self, book: Book, rng: random.Random) -> None:
        self.book, self.rng = book, rng
        texts = [book.titles[key] for key in book.free] + [one for key in book.free for one in book.texts[key]]
        short = [one for one in texts if 40 < len(one) < 130 and not exchanges(one)]
        self.grammar = Grammar(mined(texts), short, rng)
        self.amounts = {exchanges(f"to {word}")[0][2] for word in _AMOUNT} | {
            exchanges(f"it was {word}")[0][2] for word in ("raised", "promoted", "raising", "promoting", "raises")
        }

    def draw(self, shares: tuple[float, float, float]) -> Pair:
        """Return a pair; shares of labelled ones, of the grammar, and of real sentences with words exchanged: what is
        left goes to the rest."""
        rng, draw = self.rng, self.rng.random()
        while True:
            if draw < shares[0]:
                pair = self.gold()
            elif draw < shares[0] + shares[1]:
                claim, evidence, label, name = self.grammar.draw()
                return Pair(claim, evidence, label, 0.7, f"grammar-{name}")
            elif draw < sum(shares):
                pair = self.same() if rng.random() < 0.5 else self.told()
            else:
                pair = self.book.draw(0.0)
                if rng.random() < 0.5:
                    pair = self.spoken(pair)
            if pair is not None and pair.evidence:
                return pair

    def spoken(self, pair: Pair) -> Pair:
        """Return a pair with words exchanged for others of their direction."""
        rng = self.rng
        return replace(
            pair, claim=reworded(pair.claim, rng, share=0.4), evidence=reworded(pair.evidence, rng, share=0.3)
        )

    def gold(self) -> Pair | None:
        """Return a labelled pair, often in other words, sometimes with a side turned."""
        rng = self.rng
        pair = self.book.fromgold_of(rng.choice(self.book.gold))
        if pair is None:
            return None
        places = exchanges(pair.claim)
        if pair.kind == "gold" and pair.label != UNKNOWN and len(places) == 1 and rng.random() < 0.3:
            turned = reworded(pair.claim, rng, 0)
            weight = 0.9 if pair.label == SUPPORTED else 0.6
            return Pair(turned, reworded(pair.evidence, rng, share=0.3), 1 - pair.label, weight, "gold-turned")
        return self.spoken(pair) if rng.random() < 0.6 else pair

    def same(self) -> Pair | None:
        """Return a sentence against itself, a word of direction turned in the claim, in the evidence, in both or in
        neither: so neither side alone tells the label."""
        rng = self.rng
        key = rng.choice(self.book.free)
        text = self.book.texts[key]
        at = rng.randrange(len(text)) if text else 0
        if not text or not 40 < len(text[at]) < 260:
            return None
        claim = shortened(text[at], rng)
        ours, theirs = exchanges(claim), exchanges(text[at])
        words = [claim[start:end] for start, end, *_ in ours]
        again = [text[at][start:end] for start, end, *_ in theirs]
        some = [place for place, word in enumerate(words) if words.count(word) == again.count(word) == 1]
        if not some:
            return None
        place = rng.choice(some)
        first, second = rng.random() < 0.5, rng.random() < 0.5
        claim = reworded(claim, rng, place if first else -1, 0.5)
        evidence = reworded(text[at], rng, again.index(words[place]) if second else -1, 0.5)
        if rng.random() < 0.3:
            evidence = " ".join([evidence, text[at + 1]] if at + 1 < len(text) else [text[at - 1], evidence])
        label = CONTRADICTED if first != second else SUPPORTED
        return Pair(claim, evidence, label, 0.8, "words-same")

    def told(self) -> Pair | None:
        """Return a title, or what sums an abstract up, against the sentence nearest to it where both say more, or both
        less, of something: each as it stands or turned."""
        rng, book = self.rng, self.book
        key = rng.choice(book.free)
        text = book.texts[key]
        if len(text) < 4:
            return None
        title = rng.random() < 0.6
        claim = book.titles[key] if title else shortened(text[-1], rng)
        rest = text if title else text[:-1]
        evidence = rest[best(claim, rest, 1)[0]]
        ours = [(at, one) for at, one in enumerate(exchanges(claim)) if one[2] in self.amounts]
        theirs = [(at, one) for at, one in enumerate(exchanges(evidence)) if one[2] in self.amounts]
        if len(ours) != 1 or len(theirs) != 1 or ours[0][1][3] != theirs[0][1][3] or len(claim) > 220:
            return None
        if re.search(r"\b(?:not|no|without|lack\w*|loss|absence|deficien\w+|knock\w+)\b", f"{claim} {evidence}"):
            return None
        (start, end, *_), (begin, stop, *_) = ours[0][1], theirs[0][1]
        if not stems(claim[max(0, start - 30) : end + 50]) & stems(evidence[max(0, begin - 30) : stop + 50]):
            return None
        first, second = rng.random() < 0.5, rng.random() < 0.5
        claim = reworded(claim, rng, ours[0][0] if first else -1, 0.6)
        evidence = reworded(evidence, rng, theirs[0][0] if second else -1, 0.6)
        return Pair(claim, evidence, CONTRADICTED if first != second else SUPPORTED, 0.7, "words-told")
