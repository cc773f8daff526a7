"""``server:`` in the configuration."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.runtime.config import ServerConfig


def test_the_defaults_listen_on_this_machine_only() -> None:
    config = ServerConfig()
    assert (config.host, config.port, config.workers, config.max_body) == ("127.0.0.1", 8080, 1, 32 * 1024**2)


@pytest.mark.parametrize("host", ["::1", "[::1]", "0.0.0.0", "gateway.internal", "localhost"])
def test_an_address_or_a_name_is_a_host(host: str) -> None:
    assert ServerConfig(host=host).host == host


@pytest.mark.parametrize(
    "fields",
    [
        {"host": ""},
        {"host": "http://localhost"},
        {"host": "a b"},
        {"host": "a\n"},
        {"port": -1},
        {"port": 65536},
        {"workers": 0},
        {"workers": 65},
        {"max_body": "1KB"},
        {"max_body": 10},
        {"max_body": "2GiB"},
        {"head_timeout": "0s"},
        {"keep_alive": 5},
    ],
)
def test_what_cannot_be_served_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServerConfig.model_validate(fields)


def test_a_drain_may_be_no_time_at_all() -> None:
    assert ServerConfig.model_validate({"drain": "0s"}).drain == 0.0
