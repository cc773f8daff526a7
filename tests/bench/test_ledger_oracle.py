"""The ledger beside the oracle."""

import pytest
from bench.ledger_oracle import main


def test_the_ledger_says_what_the_oracle_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main() == 0
    assert "0 too far" in capsys.readouterr().out
