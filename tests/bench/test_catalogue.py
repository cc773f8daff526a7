"""The comparison of the sources of prices."""

import pytest
from bench.catalogue import main


def test_it_says_how_many_models_are_compared_and_how_many_disputed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    said = capsys.readouterr().out
    assert "in both sources" in said
    assert "more than 1 % apart" in said
