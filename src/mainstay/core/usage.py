"""What one answer took, by kind, as the provider reported it: tokens, and whatever else is billed."""

from collections.abc import Sequence

import msgspec

__all__ = ["Usage", "add_up"]


class Usage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Counts of one answer.

    ``input`` and ``output`` are totals in tokens; the other counts of tokens are parts of them, never extras:
    ``cache_read``, ``cache_write``, ``audio_input`` and ``image_input`` of ``input``; ``reasoning``, ``audio_output``
    and ``image_output`` of ``output``. Anthropic reports input without its cached parts; its codec adds them.

    What is not counted in tokens stands beside them, each in its own unit.

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
    image_input: int = 0
    image_output: int = 0
    #: The parts of ``cache_read`` that are also parts of ``audio_input`` and of ``image_input``.
    cache_read_audio: int = 0
    cache_read_image: int = 0
    #: Images that were made, and of what form where the price depends on it: ``QUALITY/SIZE``.
    images: int = 0
    image_form: str = ""
    #: Sound that was heard, in milliseconds.
    audio_ms: int = 0
    #: Characters of text that were spoken.
    characters: int = 0
    #: Searches of the web that the provider made for the answer, and calls of its other tools.
    searches: int = 0
    tool_calls: int = 0
    #: What a ranking took in the vendor's own units.
    rerank_units: int = 0
    #: The tier that the provider says it served from, such as ``flex`` or ``priority``; "" for its usual one.
    service: str = ""
    #: What the provider says the answer cost, in units of 1e-12 US dollars; None when it does not say.
    reported: int | None = None


_MARKS = frozenset({"estimated", "image_form", "service", "reported"})
_COUNTS = tuple(name for name in Usage.__struct_fields__ if name not in _MARKS)


def add_up(usages: Sequence[Usage]) -> Usage:
    """Return what several answers took together; estimated, if one of them is.

    The form of images and the tier are kept where all agree. What they cost is known only if each says so.
    """
    if len(usages) == 1:
        return usages[0]
    sums = {name: sum(getattr(usage, name) for usage in usages) for name in _COUNTS}
    forms = {usage.image_form for usage in usages if usage.images}
    tiers = {usage.service for usage in usages}
    costs = [usage.reported for usage in usages if usage.reported is not None]
    return Usage(
        **sums,
        estimated=any(usage.estimated for usage in usages),
        image_form=forms.pop() if len(forms) == 1 else "",
        service=tiers.pop() if len(tiers) == 1 else "",
        reported=sum(costs) if costs and len(costs) == len(usages) else None,
    )
