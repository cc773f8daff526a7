"""``identity:`` in the configuration."""

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.identity.config import IdentityConfig, OidcConfig
from mainstay.identity.roles import Role

OIDC = {"issuer": "https://id.test/realms/main/", "client_id": "mainstay"}


def test_keys_are_required_unless_said_otherwise() -> None:
    assert IdentityConfig().required
    assert not IdentityConfig.model_validate({"required": "false"}).required


def test_an_issuer_is_kept_letter_for_letter() -> None:
    assert OidcConfig.model_validate(OIDC).issuer == "https://id.test/realms/main/"


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9400", "http://localhost", "http://[::1]:80/x"])
def test_a_provider_on_this_machine_needs_no_tls(issuer: str) -> None:
    assert OidcConfig.model_validate(OIDC | {"issuer": issuer}).issuer == issuer


@pytest.mark.parametrize(
    "wrong",
    [
        {"issuer": "http://id.test"},
        {"issuer": "http://localhost.evil.test"},
        {"issuer": "https://user:secret@id.test"},
        {"issuer": "https://id.test/?a=b"},
        {"issuer": "id.test"},
        {"client_id": ""},
        {"roles": {"ops": "root"}},
        {"roles": {"ops": "viewer@team"}},
        {"roles": {"ops": ["viewer", "owner@web"]}},
        {"algorithms": ["none"]},
        {"algorithms": ["HS256"]},
    ],
    ids=str,
)
def test_what_would_not_be_safe_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OidcConfig.model_validate(OIDC | wrong)


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("https://ai.corp.test", True),
        ("http://10.0.0.1:8080", True),
        ("https://ai.corp.test/", True),
        ("https://ai.corp.test/mainstay", False),
        ("ai.corp.test", False),
    ],
)
def test_the_public_address_is_scheme_host_and_port(url: str, right: bool) -> None:
    if right:
        assert IdentityConfig(public_url=url).public_url == url.rstrip("/")
    else:
        with pytest.raises(ValidationError):
            IdentityConfig(public_url=url)


def test_every_role_that_a_group_may_give_is_one_that_there_is() -> None:
    for role in Role:
        assert OidcConfig.model_validate(OIDC | {"roles": {"g": f"{role}@organisation:shop"}})
