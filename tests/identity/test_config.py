"""``identity:`` in the configuration."""

from mainstay.identity.config import IdentityConfig


def test_keys_are_required_unless_said_otherwise() -> None:
    assert IdentityConfig().required
    assert not IdentityConfig.model_validate({"required": "false"}).required
