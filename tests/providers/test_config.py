"""``providers:`` and ``models:`` in the configuration."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.core.target import Feature
from mainstay.providers.config import AnthropicConfig, EchoConfig, ModelConfig, OpenAIConfig, PriceConfig


def test_each_vendor_is_reached_at_its_own_address_by_default() -> None:
    assert OpenAIConfig().base_url == "https://api.openai.com/v1"
    assert AnthropicConfig().base_url == "https://api.anthropic.com"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/v1/", "https://x.example/a/b", "http://[::1]:9"])
def test_a_base_url_may_point_anywhere_and_loses_its_last_slash(url: str) -> None:
    assert OpenAIConfig(base_url=url).base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x.example",
        "ftp://x",
        "https://",
        "https://user:pw@x",
        "https://x?key=1",
        "https://x/#a",
        "https://x y",
        "http://x:99999",
        "http://[::1",
        "https://x\n",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="must"):
        OpenAIConfig(base_url=url)


@pytest.mark.parametrize("proxy", ["https://p:1", "http://p:1/path", "socks5://p:1", "p:1"])
def test_only_a_plain_http_proxy_is_accepted(proxy: str) -> None:
    assert OpenAIConfig(proxy="http://p:3128/").proxy == "http://p:3128"
    with pytest.raises(ValidationError, match="must"):
        OpenAIConfig(proxy=proxy)


def test_headers_are_in_lower_case_and_their_values_are_hidden() -> None:
    config = OpenAIConfig.model_validate({"headers": {"OpenAI-Organization": "acme-42"}})
    assert config.headers["openai-organization"].get_secret_value() == "acme-42"
    assert "acme-42" not in repr(config) + config.model_dump_json()


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "a b", "a:", "", "é", "a\r\nb"])
def test_headers_that_would_break_the_wire_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        OpenAIConfig.model_validate({"headers": {name: "x"}})


def test_prices_are_exact() -> None:
    price = PriceConfig.model_validate({"input": Decimal("0.1"), "output": "0.30", "cache_read": 1})
    assert price.input * 3 == price.output
    assert price.cache_write is None


@pytest.mark.parametrize(
    "price",
    [
        {},
        {"tiers": [{"above": 1, "input": 1}]},
        {"input": -1, "output": 1},
        {"input": "nan", "output": 1},
        {"input": "inf", "output": 1},
        {"input": 1, "currency": "EUR"},
        {"input": 1, "usd": 1},
        {"input": 1, "since": "2026-02-01", "until": "2026-02-01"},
        {"input": 1, "tiers": [{"above": 1, "part": True, "input": 2, "output": 1}]},
        {"input": 1, "days": [8]},
        {"input": 1, "services": {"Batch!": {"times": 1}}},
    ],
)
def test_what_is_no_price_is_refused(price: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PriceConfig.model_validate(price)


def test_one_price_or_several_with_dates_are_given() -> None:
    one = ModelConfig.model_validate({"provider": "p", "price": {"input": 1}})
    several = ModelConfig.model_validate(
        {"provider": "p", "price": [{"input": 1}, {"input": 2, "since": "2026-01-01"}]}
    )
    assert [price.input for price in one.price] == [1]
    assert [price.input for price in several.price] == [1, 2]
    assert ModelConfig.model_validate({"provider": "p"}).price == ()


def test_a_model_says_what_it_lacks_and_how_much_it_writes() -> None:
    model = ModelConfig.model_validate({"provider": "p", "lacks": ["tools", "images"]})
    assert model.lacks == {Feature.TOOLS, Feature.IMAGES}
    assert (model.name, model.max_output) == ("", 4096)


def test_an_echo_answers_at_once_unless_told_otherwise() -> None:
    assert (EchoConfig().delay, EchoConfig().gap) == (0.0, 0.0)
    assert EchoConfig.model_validate({"delay": "20ms", "gap": "1ms"}).delay == 0.02
