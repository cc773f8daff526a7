import pytest
from bench.__main__ import _arguments, _settings


def test_quick_measures_three_peers_and_full_measures_many_requests() -> None:
    quick, full = _settings(_arguments(["--quick"])), _settings(_arguments(["--full"]))
    assert quick.peers == ["direct", "nginx", "mainstay"]
    assert "litellm" in full.peers
    assert full.plan.memory_requests == 200_000


def test_peers_and_rows_are_taken_in_their_own_order() -> None:
    chosen = _settings(_arguments(["--peers", "mainstay,direct", "--rows", "memory, throughput", "--seconds", "2"]))
    assert chosen.peers == ["direct", "mainstay"]
    assert chosen.rows == ["throughput", "memory"]
    assert chosen.plan.seconds == 2


def test_an_unknown_peer_is_a_usage_error_that_names_the_known(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _arguments(["--peers", "apache"])
    assert ended.value.code == 2
    assert "known: direct, nginx" in capsys.readouterr().err


def test_cores_may_be_a_range() -> None:
    chosen = _settings(_arguments(["--gateway-cores", "3", "--load-cores", "0-1,5"]))
    assert chosen.gateway_cores == {3}
    assert chosen.load_cores == {0, 1, 5}


def test_rows_of_mainstay_alone_visit_no_peer_and_are_left_out_where_they_would_surprise() -> None:
    assert _settings(_arguments(["--rows", "cancel,drill"])).peers == []
    assert _settings(_arguments(["--rows", "cancel,throughput", "--peers", "nginx"])).peers == ["nginx"]
    assert "cancel" in _settings(_arguments([])).rows
    assert "cancel" not in _settings(_arguments(["--quick"])).rows
    assert "cancel" not in _settings(_arguments(["--peers", "nginx"])).rows
