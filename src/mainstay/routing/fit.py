"""Which targets can answer a call at all: abilities and context windows, checked before one is picked.

Stands between the route's targets and the chooser. Knows no tokenizer: it brackets the number of tokens by the size
of the body, and only says "cannot" where no tokenizer could make it fit.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from mainstay.core.call import Ask, Call
from mainstay.core.errors import CallerError, ContextOverflow, Unsupported
from mainstay.core.target import TALKS, Feature, Operation, Target

__all__ = ["Unfit", "fitting", "larger", "output_limit", "permitted"]

#: Bytes of text that a token surely has on average at least, and at most. Prose and code have 3 to 5, Chinese 3,
#: numbers 2; long runs of spaces are the only common text above 8.
_LEAST: Final = 2
_MOST: Final = 16
#: Bytes of base64 that stand for at least one token: an image of a megabyte is 1,600 tokens, a scanned document of
#: that size up to 50,000. It may also stand for none.
_PAYLOAD: Final = 16
#: A block of this size, or larger when there would be too many, counts as base64 when its first bytes are.
_BLOCK: Final = 1024
_BLOCKS: Final = 2000
_SAMPLE: Final = 64
_BASE64: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_"


class Unfit(msgspec.Struct, frozen=True):
    """A target that cannot answer a call, and why: ``operation`` is what it cannot be asked, ``lacks`` what it cannot
    do, or ``tokens`` what the prompt has at least."""

    target: Target
    operation: Operation | None = None
    lacks: frozenset[Feature] = frozenset()
    tokens: int = 0

    @property
    def reason(self) -> str:
        """The reason in a few words, for a record."""
        if self.operation is not None:
            return f"has no {self.operation}"
        if self.lacks:
            return f"lacks {', '.join(sorted(self.lacks))}"
        return f"at least {self.tokens} tokens for a window of {self.target.window}"

    def error(self, ask: Ask) -> CallerError:
        """Return what to tell the caller of ``ask``, for whom there is no other target."""
        if self.operation is not None:
            return Unsupported(
                f"The model '{self.target.model}' has no {self.operation}; choose another model.", param="model"
            )
        if self.lacks:
            origin = ask.origin or ask
            feature = min(self.lacks, key=list(Feature).index)
            return Unsupported(
                f"The model '{self.target.model}' cannot do what this request needs "
                f"({', '.join(sorted(self.lacks))}); leave it out or choose another model.",
                param=origin.locate(origin, feature) if origin.locate is not None else None,
            )
        return ContextOverflow(
            f"The prompt has at least {self.tokens} tokens and the model '{self.target.model}' takes "
            f"{self.target.window}; shorten it or choose a model with a larger window."
        )


class _Limits(msgspec.Struct, gc=False):
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None


_read_limits = msgspec.json.Decoder(_Limits).decode


def output_limit(ask: Ask) -> int | None:
    """Return the most tokens the caller lets the model write; None when the caller sets no limit."""
    raw = ask.raw
    if ask.operation is not Operation.CHAT and ask.operation not in TALKS:
        return None
    if not raw:
        return ask.prompt.max_tokens
    if b'"max_' not in raw:
        return None
    try:
        limits = _read_limits(raw)
    except msgspec.DecodeError:
        # Whether such a body is refused is for the codec and the upstream to say.
        return None
    return limits.max_completion_tokens or limits.max_tokens or limits.max_output_tokens


def fitting(call: Call, targets: Sequence[Target]) -> tuple[Sequence[Target], Sequence[Unfit]]:
    """Return the targets that can answer ``call``, and those that cannot with the reason.

    Both keep the order of ``targets``, but targets whose window may be too small come after those that surely have
    room for the prompt and the answer the caller allows. An unknown window has room. Pass targets that are in order
    already: a chooser that came afterwards would undo this.
    """
    lacking = False
    smallest = largest = 0
    operation = call.ask.operation
    for target in targets:
        if operation not in target.operations:
            return _able(call, operation, targets)
        if target.lacks:
            lacking = True
        window = target.window
        if window:
            smallest = window if not smallest or window < smallest else smallest
            largest = window if window > largest else largest
    if (not lacking and not smallest) or operation not in TALKS:
        # Windows are of prompts: a list of texts to embed is as many of them.
        return targets, ()
    ask = call.ask
    features = ask.features if lacking else frozenset()
    if ask.spared:
        features -= ask.spared
    least, most = _bracket(ask, smallest, largest) if smallest else (0, 0)
    if not features and most <= smallest:
        return targets, ()
    sure: list[Target] = []
    doubtful: list[Target] = []
    unfit: list[Unfit] = []
    for target in targets:
        missing = target.lacks & features
        if missing:
            unfit.append(Unfit(target, lacks=missing))
        elif not target.window or most <= target.window:
            sure.append(target)
        elif least > target.window:
            unfit.append(Unfit(target, tokens=least))
        else:
            doubtful.append(target)
    return (*sure, *doubtful), unfit


def _able(call: Call, operation: Operation, targets: Sequence[Target]) -> tuple[Sequence[Target], Sequence[Unfit]]:
    """Return what :func:`fitting` does once those are left out that cannot be asked for ``operation`` at all."""
    others, unfit = fitting(call, [target for target in targets if operation in target.operations])
    return others, (*[Unfit(target, operation) for target in targets if operation not in target.operations], *unfit)


def permitted(targets: Sequence[Target], forbids: Callable[[Target], CallerError | None]) -> Sequence[Target]:
    """Return the targets that the policies let a call go to, in their order.

    Raises:
        CallerError: there is none; the reason is the first target's.
    """
    errors = [forbids(target) for target in targets]
    allowed = [target for target, error in zip(targets, errors, strict=True) if error is None]
    if not allowed and errors[0] is not None:
        raise errors[0]
    return allowed


def larger(targets: Sequence[Target], failed: Target) -> Sequence[Target]:
    """Return the targets worth asking after ``failed`` said that the prompt does not fit its window.

    Those with a window known to be larger come first, then those of unknown window: they may be larger, and an
    attempt that is refused for length costs a round trip and no tokens. When ``failed``'s own window is unknown no
    other can be ruled out, so all others are returned, the largest known window first. ``failed`` itself, and
    windows known to be no larger, are left out.
    """
    others = [target for target in targets if target.model != failed.model]
    if failed.window:
        known = [target for target in others if target.window > failed.window]
    else:
        known = sorted((target for target in others if target.window), key=lambda target: -target.window)
    return (*known, *[target for target in others if not target.window])


def _bracket(ask: Ask, smallest: int, largest: int) -> tuple[int, int]:
    """Return the least tokens the prompt can have, and the most it has with the answer.

    ``smallest`` and ``largest`` are the windows in question: what can change nothing for them is not looked into.
    """
    raw = ask.raw or msgspec.json.encode(ask.prompt.messages)
    most = len(raw) // _LEAST
    if most <= smallest:
        return 0, most + (output_limit(ask) or 0)
    payload = _payload(raw)
    text = len(raw) - payload
    least = text // _MOST
    if least > smallest:
        # Six bytes of escape stand for at most two or three bytes of text.
        least = max(0, text - 4 * raw.count(b"\\u")) // _MOST
    most = text // _LEAST + payload // _PAYLOAD
    return least, most + (output_limit(ask) or 0 if most <= largest else 0)


def _payload(raw: bytes) -> int:
    """Return about how many bytes of ``raw`` are base64: images, audio, files, sealed reasoning.

    Looks at the head of each block only, of at most 2,000 blocks, so that a body of many megabytes costs less than a
    millisecond. Text in any language has a space, a quote, a backslash or a byte above 127 within the sample.
    """
    block = max(_BLOCK, len(raw) // _BLOCKS)
    found = 0
    for start in range(0, len(raw), block):
        # Some writers of JSON escape the slash.
        sample = raw[start : start + _SAMPLE].replace(b"\\/", b"/")
        if not sample.translate(None, _BASE64):
            found += block
    return min(found, len(raw))
