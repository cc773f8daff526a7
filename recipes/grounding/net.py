"""The verifier's net as torch trains it: MiniLM-L6 that reads a claim and evidence together, and a head of three.

Plain torch, no package of models. The names of its parameters are those of the file it starts from (all-MiniLM-L6-v2),
so that loading is a dictionary. Needs ``torch`` (any build); nothing of it is needed where the weights are used.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mainstay.encoders.tensors import unpack

__all__ = ["HEADS", "LAYERS", "WIDTH", "Net", "collate", "logits", "open_base", "open_net"]

WIDTH, HEADS, LAYERS, INNER = 384, 12, 6, 1536


class Layer(nn.Module):
    """One layer of a BERT: attention, then two dense layers, each added to what came in and normalised."""

    def __init__(self, drop: float) -> None:
        super().__init__()
        self.query, self.key, self.value, self.mixed = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.mixed_norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.inner, self.outer = nn.Linear(WIDTH, INNER), nn.Linear(INNER, WIDTH)
        self.outer_norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the states after this layer; ``mask`` is added to the attention's scores."""
        rows, length, _ = x.shape
        shape = (rows, length, HEADS, WIDTH // HEADS)
        query, key, value = (part(x).view(shape).transpose(1, 2) for part in (self.query, self.key, self.value))
        # Written out: on processors, the fused kernel takes three times as long backwards.
        scores = query @ key.transpose(2, 3) * (WIDTH // HEADS) ** -0.5 + mask
        seen = scores.softmax(-1).to(value.dtype) @ value
        x = self.mixed_norm(x + self.mixed(seen.transpose(1, 2).reshape(rows, length, WIDTH)))
        return self.outer_norm(x + self.drop(self.outer(functional.gelu(self.inner(x)))))


class Net(nn.Module):
    """Reads pairs; returns logits of supported, contradicted, unknown."""

    def __init__(self, drop: float = 0.15) -> None:
        super().__init__()
        self.words = nn.Embedding(30522, WIDTH)
        self.places = nn.Embedding(512, WIDTH)
        self.sides = nn.Embedding(2, WIDTH)
        self.norm = nn.LayerNorm(WIDTH, eps=1e-12)
        self.layers = nn.ModuleList(Layer(drop) for _ in range(LAYERS))
        self.drop = nn.Dropout(drop)
        self.hidden = nn.Linear(2 * WIDTH, WIDTH)
        self.out = nn.Linear(WIDTH, 3)

    def forward(self, ids: Tensor, sides: Tensor, mask: Tensor) -> Tensor:
        """Return ``(rows, 3)`` logits. ``ids`` and ``sides`` are ``(rows, length)``, ``mask`` is 1 where words are."""
        x = self.words(ids) + self.places.weight[: ids.shape[1]] + self.sides(sides)
        x = self.drop(self.norm(x))
        added = ((1.0 - mask) * -1e4)[:, None, None, :].to(x.dtype)
        for layer in self.layers:
            x = layer(x, added)
        weights = mask[:, :, None].to(x.dtype)
        mean = (x * weights).sum(1) / weights.sum(1)
        return self.out(self.drop(torch.tanh(self.hidden(torch.cat([x[:, 0], mean], 1)))))


def open_base(path: Path) -> Net:
    """Return the net with the weights of ``model.safetensors`` of all-MiniLM-L6-v2, and a fresh head."""
    found, _ = unpack(path.read_bytes())
    net = Net()
    names = {
        "words.weight": "embeddings.word_embeddings.weight",
        "places.weight": "embeddings.position_embeddings.weight",
        "sides.weight": "embeddings.token_type_embeddings.weight",
        "norm.weight": "embeddings.LayerNorm.weight",
        "norm.bias": "embeddings.LayerNorm.bias",
    }
    inside = {
        "query": "attention.self.query",
        "key": "attention.self.key",
        "value": "attention.self.value",
        "mixed": "attention.output.dense",
        "mixed_norm": "attention.output.LayerNorm",
        "inner": "intermediate.dense",
        "outer": "output.dense",
        "outer_norm": "output.LayerNorm",
    }
    for at in range(LAYERS):
        for ours, theirs in inside.items():
            for kind in ("weight", "bias"):
                names[f"layers.{at}.{ours}.{kind}"] = f"encoder.layer.{at}.{theirs}.{kind}"
    state = {ours: torch.from_numpy(np.array(found[theirs])) for ours, theirs in names.items()}
    missing = net.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys
    assert all(name.startswith(("hidden", "out")) for name in missing.missing_keys)
    return net


def open_net(path: Path) -> Net:
    """Return a net that was saved by ``train``."""
    net = Net()
    net.load_state_dict(torch.load(path, weights_only=True))
    return net.eval()


def collate(rows: Sequence[tuple[list[int], int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Return ids, sides and mask of pairs, each the numbers of both and the length of the first."""
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.int64)
    sides, mask = torch.zeros_like(ids), torch.zeros((len(rows), longest))
    for at, (numbers, first) in enumerate(rows):
        ids[at, : len(numbers)] = torch.tensor(numbers)
        sides[at, first : len(numbers)] = 1
        mask[at, : len(numbers)] = 1
    return ids, sides, mask


def logits(net: Net, rows: Sequence[tuple[list[int], int]], together: int = 32) -> "np.ndarray":
    """Return ``(len(rows), 3)`` logits."""
    order = sorted(range(len(rows)), key=lambda at: len(rows[at][0]))
    result = np.empty((len(rows), 3), np.float32)
    net.eval()
    with torch.inference_mode():
        for first in range(0, len(order), together):
            some = order[first : first + together]
            result[some] = net(*collate([rows[at] for at in some])).float().numpy()
    return result
