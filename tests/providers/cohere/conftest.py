"""What the tests of this wire share: the official SDK as a judge of requests."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from support import judges


@pytest.fixture(scope="session")
def sdk_accepts() -> Callable[[bytes], dict[str, Any]]:
    """Return a function that holds a body to the SDK's types, field by field, and gives it back decoded."""
    return partial(judges.cohere, b"/v2/chat")
