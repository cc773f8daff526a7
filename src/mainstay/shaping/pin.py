"""Calls that can be repeated: the same temperature and seed for every caller of a route."""

from typing import Any, Final

from msgspec.structs import replace

from mainstay.core.call import Adapter
from mainstay.core.prompt import Prompt
from mainstay.core.target import Feature, Target
from mainstay.shaping.config import PinConfig

__all__ = ["pinned"]

#: Vendors whose wires have no field for a seed.
_SEEDLESS: Final = frozenset({"anthropic", "aws.bedrock"})


def pinned(pin: PinConfig) -> Adapter:
    """Return what sets a prompt's sampling to what ``pin`` says; a seed only for models that take one."""
    fixed: dict[str, Any] = {
        name: value for name in ("temperature", "top_p", "seed") if (value := getattr(pin, name)) is not None
    }

    async def adapt(prompt: Prompt, target: Target) -> Prompt:
        changed = dict(fixed)
        if Feature.SEED in target.lacks or target.vendor in _SEEDLESS:
            changed["seed"] = None
        return replace(prompt, **changed)

    return adapt
