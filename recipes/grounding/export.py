"""Write a trained net as ``verifier.onnx``: ``python -m recipes.grounding.export NET.pt OUT.onnx --temperature T``.

Matrices are stored in 8 bits with a scale for each column, and computed with in 32, so that every processor gives the
same answers. The graph is written by hand: nothing of the trainer is in it. Needs ``torch`` and ``onnx``.
"""

import argparse
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from recipes.grounding.net import HEADS, LAYERS, WIDTH, Net, open_net

__all__ = ["export", "rounded"]


def rounded(table: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return ``table`` in 8 bits, and the scale of each place along ``axis``."""
    other = tuple(at for at in range(table.ndim) if at != axis)
    scale = np.maximum(np.abs(table).max(axis=other), 1e-8) / 127
    shape = [1] * table.ndim
    shape[axis] = -1
    return np.clip(np.rint(table / scale.reshape(shape)), -127, 127).astype(np.int8), scale.astype(np.float32)


class Graph:
    """A graph in the making: nodes in order, and constants."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def put(self, value: NDArray[Any]) -> str:
        """Return the name of a new constant."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def do(self, kind: str, *inputs: str, **given: Any) -> str:
        """Return the name of what a new node gives."""
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **given))
        return name

    def dense(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """A dense layer; ``weight`` is (out, in)."""
        small, scale = rounded(np.ascontiguousarray(weight.T), 1)
        zero = np.zeros(len(scale), np.int8)
        table = self.do("DequantizeLinear", self.put(small), self.put(scale), self.put(zero), axis=1)
        return self.do("Add", self.do("MatMul", x, table), self.put(bias))

    def rows(self, table: NDArray[np.float32], ids: str) -> str:
        """The rows of a table."""
        small, scale = rounded(table, 0)
        picked = self.do("Cast", self.do("Gather", self.put(small), ids), to=TensorProto.FLOAT)
        return self.do("Mul", picked, self.do("Gather", self.put(scale[:, None]), ids))

    def norm(self, x: str, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> str:
        """A layer of normalisation."""
        return self.do("LayerNormalization", x, self.put(weight), self.put(bias), axis=-1, epsilon=1e-12)


def export(net: Net, notes: dict[str, str]) -> bytes:
    """Return the file; its inputs are ``ids``, ``sides`` (int64) and ``mask`` (float), its output ``logits``."""
    state = {name: value.detach().float().numpy() for name, value in net.state_dict().items()}
    graph = Graph()
    put, do = graph.put, graph.do

    def pair(name: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return state[f"{name}.weight"], state[f"{name}.bias"]

    length = do("Gather", do("Shape", "ids"), put(np.array(1)))
    places = do("Range", put(np.array(0)), length, put(np.array(1)))
    x = do("Add", graph.rows(state["words.weight"], "ids"), graph.rows(state["sides.weight"], "sides"))
    x = graph.norm(do("Add", x, graph.rows(state["places.weight"], places)), *pair("norm"))
    one, two = put(np.array([1])), put(np.array([2]))
    away = do("Mul", do("Sub", put(np.float32([1])), "mask"), put(np.float32([-1e4])))
    added = do("Unsqueeze", away, put(np.array([1, 2])))
    split = put(np.array([0, 0, HEADS, WIDTH // HEADS]))
    joined = put(np.array([0, 0, WIDTH]))
    for at in range(LAYERS):
        near = f"layers.{at}."
        query, key, value = (
            do("Transpose", do("Reshape", graph.dense(x, *pair(near + name)), split), perm=order)
            for name, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        scores = do("Mul", do("MatMul", query, key), put(np.float32([(WIDTH // HEADS) ** -0.5])))
        seen = do("MatMul", do("Softmax", do("Add", scores, added), axis=-1), value)
        seen = do("Reshape", do("Transpose", seen, perm=[0, 2, 1, 3]), joined)
        x = graph.norm(do("Add", x, graph.dense(seen, *pair(near + "mixed"))), *pair(near + "mixed_norm"))
        inner = do("Gelu", graph.dense(x, *pair(near + "inner")))
        x = graph.norm(do("Add", x, graph.dense(inner, *pair(near + "outer"))), *pair(near + "outer_norm"))
    weights = do("Unsqueeze", "mask", two)
    total = do("ReduceSum", do("Mul", x, weights), one, keepdims=0)
    mean = do("Div", total, do("ReduceSum", "mask", one, keepdims=1))
    first = do("Gather", x, put(np.array(0)), axis=1)
    hidden = do("Tanh", graph.dense(do("Concat", first, mean, axis=1), *pair("hidden")))
    last = graph.dense(hidden, *pair("out"))
    graph.nodes.append(helper.make_node("Identity", [last], ["logits"]))
    shape = ["rows", "length"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("ids", "sides")]
    inputs.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, shape))
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", 3])]
    made = helper.make_graph(graph.nodes, "verifier", inputs, outputs, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    helper.set_model_props(model, notes)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def main() -> None:
    """Write the file and print its SHA-256."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("net", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--temperature", type=float, default=1.0)
    given = parser.parse_args()
    notes = {"temperature": f"{given.temperature:.4f}", "licence": "Apache-2.0", "base": "all-MiniLM-L6-v2"}
    data = export(open_net(given.net), notes)
    given.out.write_bytes(data)
    print(hashlib.sha256(data).hexdigest(), len(data))


if __name__ == "__main__":
    main()
