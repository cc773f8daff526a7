"""Tokens of one answer, by kind, as the provider reported them."""

from collections.abc import Sequence

import msgspec

__all__ = ["Usage", "add_up"]


class Usage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Token counts of one answer.

    ``input`` and ``output`` are totals; the other counts are parts of them, never extras: ``cache_read``,
    ``cache_write`` and ``audio_input`` of ``input``; ``reasoning`` and ``audio_output`` of ``output``. Anthropic
    reports input without its cached parts; its codec adds them.

    ``estimated`` is True when the provider said nothing and the counts are ours.
    """

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    #: The part of ``cache_write`` with a one-hour life, priced apart by Anthropic.
    cache_write_1h: int = 0
    reasoning: int = 0
    audio_input: int = 0
    audio_output: int = 0
    estimated: bool = False


def add_up(usages: Sequence[Usage]) -> Usage:
    """Return what several answers took together; estimated, if one of them is."""
    if len(usages) == 1:
        return usages[0]
    names = [name for name in Usage.__struct_fields__ if name != "estimated"]
    sums = {name: sum(getattr(usage, name) for usage in usages) for name in names}
    return Usage(**sums, estimated=any(usage.estimated for usage in usages))
