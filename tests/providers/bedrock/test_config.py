"""``kind: bedrock`` in the configuration."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.providers.bedrock.config import BedrockConfig

KEYS: dict[str, Any] = {"access_key_id": "AKID", "secret_access_key": "hush-hush"}


def test_a_region_gives_its_address() -> None:
    assert BedrockConfig(region="eu-central-1", **KEYS).url == "https://bedrock-runtime.eu-central-1.amazonaws.com"
    assert BedrockConfig(region="cn-north-1", **KEYS).url == "https://bedrock-runtime.cn-north-1.amazonaws.com.cn"
    assert BedrockConfig(region="us-gov-west-1", base_url="https://vpce.example/", **KEYS).url == "https://vpce.example"


@pytest.mark.parametrize("region", ["", "Frankfurt", "eu-central-1.evil.example/", "eu"])
def test_what_is_no_region_is_refused(region: str) -> None:
    with pytest.raises(ValidationError, match="is no AWS region"):
        BedrockConfig(region=region, **KEYS)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"access_key_id": "AKID"},
        {"secret_access_key": "x"},
        {"session_token": "x", "api_key": "y"},
        {**KEYS, "api_key": "y"},
    ],
)
def test_there_is_exactly_one_credential(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=r"belong|either"):
        BedrockConfig(region="eu-central-1", **fields)


def test_secrets_never_show() -> None:
    config = BedrockConfig(region="eu-central-1", session_token="hush-token", **KEYS)
    assert "hush" not in repr(config) + config.model_dump_json()
