import pytest
from bench.policy import main, measure


@pytest.mark.parametrize("rules", [3, 150])
def test_every_decision_is_what_all_policies_at_once_say(rules: int) -> None:
    found = measure(rules, 300, 300)
    assert (found.rules, found.compared, found.wrong) == (rules + 2, 300, 0)
    assert found.new <= found.slow


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--rules", "80", "--requests", "40", "--compared", "10"])
    assert "0 of 10" in capsys.readouterr().out
