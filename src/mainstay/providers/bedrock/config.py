"""A provider of ``kind: bedrock`` in the configuration."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, model_validator

from mainstay.core.config import Secret, check_url
from mainstay.providers.config import HttpProviderConfig

__all__ = ["BedrockConfig"]

_REGION = re.compile(r"[a-z]{2}(?:-[a-z0-9]{1,20}){1,4}")


def _region(value: str) -> str:
    if not _REGION.fullmatch(value):
        raise ValueError("is no AWS region; one looks like eu-central-1")
    return value


class BedrockConfig(HttpProviderConfig):
    """Models on Amazon Bedrock, by the Converse wire.

    Requests are signed with ``access_key_id`` and ``secret_access_key``, or carry a Bedrock API key as ``api_key``.
    Nothing is looked for elsewhere: not in AWS's own files, not in the environment, not at an instance's address.
    """

    #: The provider's name in OpenTelemetry.
    telemetry_name: ClassVar[str] = "aws.bedrock"

    kind: Literal["bedrock"] = "bedrock"
    """Selects this kind of provider."""

    region: Annotated[str, AfterValidator(_region)]
    """The AWS region to call, such as ``eu-central-1``."""

    api_key: Secret | None = None
    """A Bedrock API key, by reference, in place of keys that sign."""

    access_key_id: Secret | None = None
    """Id of the access key that signs requests."""

    secret_access_key: Secret | None = None
    """The secret that belongs to ``access_key_id``, by reference."""

    session_token: Secret | None = None
    """The token that belongs to temporary keys, by reference."""

    base_url: Annotated[str, AfterValidator(check_url)] | None = None
    """Address in place of the region's own: a VPC endpoint, or a FIPS one."""

    @model_validator(mode="after")
    def _one_credential(self) -> "BedrockConfig":
        signs = self.access_key_id is not None and self.secret_access_key is not None
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("access_key_id and secret_access_key belong together; give both")
        if self.session_token is not None and not signs:
            raise ValueError("a session_token belongs to an access_key_id and a secret_access_key; give all three")
        if signs == (self.api_key is not None):
            raise ValueError("give either api_key, or access_key_id and secret_access_key")
        return self

    @property
    def url(self) -> str:
        """The address that ``/model/...`` is added to."""
        ending = ".cn" if self.region.startswith("cn-") else ""
        return self.base_url or f"https://bedrock-runtime.{self.region}.amazonaws.com{ending}"
