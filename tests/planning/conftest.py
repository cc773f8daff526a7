"""Fixtures of this directory."""

from collections.abc import Callable
from typing import Any

import pytest

from mainstay.core.hardware import find_accelerator
from mainstay.core.sizes import find_size
from mainstay.planning.deployment import Deployment, find_precision

Replica = Callable[..., Deployment]


@pytest.fixture(scope="session")
def replica() -> Replica:
    """Return a function of model, device, devices and precision."""

    def make(model: str, gpu: str = "H100", devices: int = 1, precision: str = "bf16", **more: Any) -> Deployment:
        return Deployment(
            size=find_size(model),
            device=find_accelerator(gpu),
            devices=devices,
            precision=find_precision(precision),
            **more,
        )

    return make
