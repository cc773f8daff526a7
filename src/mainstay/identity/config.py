"""``identity:`` in the configuration: who may call."""

from mainstay.core.config import Section

__all__ = ["IdentityConfig"]


class IdentityConfig(Section):
    """Who may call."""

    required: bool = True
    """Whether every call needs a key. ``false`` is accepted only while the server listens on a loopback address."""
