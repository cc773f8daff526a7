"""The guard of pictures: what it loads, and that it is what it says it is."""

from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="the extra 'guards' is not installed")

from mainstay.core.errors import StartError  # numpy may be missing
from mainstay.guardrails import opennsfw
from mainstay.guardrails.opennsfw import Sight, open_sight

pytestmark = pytest.mark.skipif(not opennsfw.is_installed(), reason="the extra 'guards' is not installed")


def test_plain_colours_are_harmless_and_each_picture_has_its_own_score() -> None:
    white, black = bytes([255]) * (224 * 224 * 3), bytes(224 * 224 * 3)
    together = open_sight().judge([white, black])
    assert all(0 <= score < 0.2 for score in together)
    assert together == [open_sight().judge([white])[0], open_sight().judge([black])[0]]
    assert open_sight().judge([]) == []


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError):
        open_sight().judge([b"x"])


def test_a_file_that_is_not_the_one_that_is_known_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "open-nsfw.onnx"
    other.write_bytes(b"x")
    monkeypatch.setattr(opennsfw, "_path", lambda: str(other))
    with pytest.raises(StartError, match="not the file that is known"):
        Sight()
    other.unlink()
    with pytest.raises(StartError, match=r"mainstay\[guards\]"):
        Sight()
