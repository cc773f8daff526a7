"""The Merkle tree of RFC 6962 over the hashes of leaves: its root, and proofs that are checked without the leaves.

Pure. A root stands for every leaf and their order. An inclusion proof shows that a leaf is in a tree, a consistency
proof that one tree only adds to another; both are about log2(n) hashes.
"""

from collections.abc import Sequence
from hashlib import sha256

__all__ = [
    "Frontier",
    "consistency_proof",
    "inclusion_proof",
    "node_hash",
    "root_of",
    "verify_consistency",
    "verify_inclusion",
]

_EMPTY = sha256(b"").digest()
_WIDTH = 32


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node: SHA-256 of a one byte and the hashes of both below it."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The roots of the perfect trees that a growing tree is made of, the largest first: enough to go on from.

    ``size`` is the number of leaves.
    """

    def __init__(self, size: int = 0, roots: bytes = b"") -> None:
        if len(roots) != _WIDTH * size.bit_count():
            raise ValueError("not the roots of a tree of this size")
        self.size = size
        self._roots = [roots[start : start + _WIDTH] for start in range(0, len(roots), _WIDTH)]

    def append(self, leaf: bytes) -> None:
        """Add the hash of a leaf."""
        merged, size = leaf, self.size
        # A carry, as in counting: each set bit at the end is a tree that the new one completes.
        while size & 1:
            merged = node_hash(self._roots.pop(), merged)
            size >>= 1
        self._roots.append(merged)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the whole tree."""
        if not self._roots:
            return _EMPTY
        found = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            found = node_hash(left, found)
        return found

    def pack(self) -> bytes:
        """Return the roots, one after the other; with ``size`` they make the frontier again."""
        return b"".join(self._roots)


def root_of(leaves: Sequence[bytes]) -> bytes:
    """Return the root of the tree over the hashes of leaves."""
    frontier = Frontier()
    for leaf in leaves:
        frontier.append(leaf)
    return frontier.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of the leaf at ``index`` (from 0), the lowest node first (RFC 6962, 2.1.1).

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(index)
    path: list[bytes] = []
    level, position = list(leaves), index
    while len(level) > 1:
        sibling = position ^ 1
        if sibling < len(level):
            path.append(level[sibling])
        level = _above(level)
        position >>= 1
    return path


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Say whether ``path`` shows that ``leaf`` is at ``index`` of the tree of ``size`` leaves (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, last, found = index, size - 1, leaf
    for other in path:
        if last == 0:
            return False
        if node & 1 or node == last:
            found = node_hash(other, found)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, other)
        node, last = node >> 1, last >> 1
    return last == 0 and found == root


def consistency_proof(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """Return the proof that the tree over ``leaves`` begins with that over the first ``old`` (RFC 6962, 2.1.2).

    Raises:
        IndexError: the tree was never of that size, or was empty.
    """
    if not 0 < old <= len(leaves):
        raise IndexError(old)
    return _subproof(leaves, 0, len(leaves), old, True) if old < len(leaves) else []


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Say whether ``proof`` shows that the tree of ``new`` leaves only adds to that of ``old`` (RFC 9162, 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = path[0]
    for other in path[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first, second = node_hash(other, first), node_hash(other, second)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, other)
        node, last = node >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _above(level: list[bytes]) -> list[bytes]:
    above = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
    if len(level) & 1:
        above.append(level[-1])
    return above


def _subproof(leaves: Sequence[bytes], start: int, stop: int, old: int, whole: bool) -> list[bytes]:
    """Return the proof for the leaves from ``start`` to ``stop``, of which the first ``old`` were there before."""
    count = stop - start
    if old == count:
        return [] if whole else [root_of(leaves[start:stop])]
    # The largest power of two below their number.
    split = 1 << (count - 1).bit_length() - 1
    if old <= split:
        return [*_subproof(leaves, start, start + split, old, whole), root_of(leaves[start + split : stop])]
    left = root_of(leaves[start : start + split])
    return [*_subproof(leaves, start + split, stop, old - split, False), left]
