"""What tests of a vendor behind a running gateway share: a scripted upstream, and official SDKs that ask it.

Each module has a ``gateway`` of its own.
"""

from collections.abc import Iterator

import pytest
from anthropic import Anthropic
from openai import OpenAI

from support.gateway import Gateway
from support.upstream import Upstream


@pytest.fixture(scope="module")
def vendor() -> Iterator[Upstream]:
    """Return a scripted upstream of the module's own."""
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def openai_sdk(gateway: Gateway) -> Iterator[OpenAI]:
    """Return the official OpenAI SDK, talking to the module's gateway."""
    with OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


@pytest.fixture(scope="module")
def anthropic_sdk(gateway: Gateway) -> Iterator[Anthropic]:
    """Return the official Anthropic SDK, talking to the module's gateway."""
    with Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


@pytest.fixture
def client(openai_sdk: OpenAI, vendor: Upstream) -> OpenAI:
    """Return the OpenAI SDK, with nothing scripted yet."""
    vendor.forget()
    return openai_sdk


@pytest.fixture
def claude(anthropic_sdk: Anthropic, vendor: Upstream) -> Anthropic:
    """Return the Anthropic SDK, with nothing scripted yet."""
    vendor.forget()
    return anthropic_sdk
