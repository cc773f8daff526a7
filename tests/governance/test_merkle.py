import random
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.core.audit import leaf_hash
from mainstay.governance.merkle import (
    Frontier,
    consistency_proof,
    inclusion_proof,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

#: The inputs and roots of Certificate Transparency's own reference tests.
INPUTS = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


def recursive(hashes: list[bytes]) -> bytes:
    """The definition in RFC 6962, letter for letter."""
    if not hashes:
        return sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return node_hash(recursive(hashes[:split]), recursive(hashes[split:]))


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_reference(size: int) -> None:
    assert root_of([leaf_hash(bytes.fromhex(text)) for text in INPUTS[:size]]).hex() == ROOTS[size - 1]


@pytest.mark.parametrize("size", range(70))
def test_a_root_is_what_the_definition_says(size: int) -> None:
    assert root_of(leaves(size)) == recursive(leaves(size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 33])
def test_every_leaf_is_proved_and_no_other_in_its_place(size: int) -> None:
    hashes = leaves(size)
    root = root_of(hashes)
    for index in range(size):
        path = inclusion_proof(hashes, index)
        assert verify_inclusion(hashes[index], index, size, path, root)
        assert not verify_inclusion(leaf_hash(b"other"), index, size, path, root)
        assert not verify_inclusion(hashes[index], index + 1, size, path, root)
        if path:
            assert not verify_inclusion(hashes[index], index, size, path[:-1], root)
        assert not verify_inclusion(hashes[index], index, size, [*path, root], root)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 33])
def test_growth_is_proved_from_every_earlier_size(size: int) -> None:
    hashes = leaves(size)
    root = root_of(hashes)
    for old in range(1, size + 1):
        proof = consistency_proof(hashes, old)
        assert verify_consistency(old, size, proof, root_of(hashes[:old]), root)
        assert not verify_consistency(old, size, proof, leaf_hash(b"other"), root)
        if proof:
            assert not verify_consistency(old, size, proof[:-1], root_of(hashes[:old]), root)


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_frontier_goes_on_from_where_it_was_packed(first: int, second: int) -> None:
    hashes = leaves(first + second)
    frontier = Frontier()
    for leaf in hashes[:first]:
        frontier.append(leaf)
    again = Frontier(frontier.size, frontier.pack())
    for leaf in hashes[first:]:
        again.append(leaf)
    assert again.root() == root_of(hashes)


def test_a_frontier_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size"):
        Frontier(3, b"\0" * 32)


def test_a_proof_of_a_million_leaves_is_twenty_hashes() -> None:
    size = 1 << 20
    index = random.Random(1).randrange(size)
    hashes = [index.to_bytes(32, "big")] * size
    assert len(inclusion_proof(hashes, index)) == 20


def test_there_is_no_proof_of_what_is_not_there() -> None:
    with pytest.raises(IndexError):
        inclusion_proof(leaves(3), 3)
    with pytest.raises(IndexError):
        consistency_proof(leaves(3), 4)
    assert not verify_inclusion(leaves(1)[0], 0, 0, [], root_of([]))
    assert not verify_consistency(0, 3, [], root_of([]), root_of(leaves(3)))
