"""The most that an attempt can take: what is reserved before it is made, whatever it turns out to cost.

Pure bounds, on the safe side: a token has at least one byte. Nothing here is billed.
"""

import re
from collections.abc import Callable, Sized
from math import ceil
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from mainstay.core.call import Ask
from mainstay.core.prompt import AudioPart, DocumentPart, ImagePart, OpaquePart, Part, ToolResultPart
from mainstay.core.target import TALKS, Operation, Target
from mainstay.core.usage import Usage

__all__ = ["Need", "estimate", "limited", "most"]

#: Tokens that vendors add to what was sent: the form of turns, and the words that explain tools.
_ADDED: Final = 512
_TOOLS: Final = 1024
#: The most that one image can be, and that it is to the one family of models that counts a token of it 33 times.
_IMAGE: Final = 5_000
_IMAGE_33: Final = 50_000
_COUNTS_33: Final = "4o-mini"
#: The most that a document can be that is not text, or of which only the place is known: it fills a model's window.
_DOCUMENT: Final = 200_000
#: A letter that JSON need not escape: what is looked for may be hidden so.
_HIDDEN: Final = re.compile(rb"\\u00[4-7]").search
#: Tokens that an answer is taken to have when the caller sets no limit, for limits of tokens.
_ANSWER: Final = 256
_BYTES_A_TOKEN: Final = 4
#: Bytes of sound per second, at least: of formats that keep to a rate, and of those that need next to none for silence.
_SOUND: Final = 1_000
_SILENCE: Final = 100
_STEADY: Final = re.compile(rb"RIFF....WAVE|ID3[\x02-\x04]", re.DOTALL).search
#: The most images that a vendor makes at once, where the request does not say how many.
_IMAGES: Final = 10
#: Tokens that an image is made of, and those of one that is to be changed.
_DRAWN: Final = 8_000
_SHOWN: Final = 7_000


class Need(msgspec.Struct, frozen=True):
    """What an attempt can take at most: tokens in and out, and what is billed otherwise.

    ``limited`` says that the caller set the most that may be written; else ``written`` is what the model may.
    ``choices`` is how many answers ``written`` is shared by.
    """

    given: int
    written: int
    limited: bool
    other: Usage | None = None
    choices: int = 1


class _Limits(msgspec.Struct, gc=False):
    #: Not every server insists on whole numbers.
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    n: Any = None
    best_of: Any = None

    @property
    def said(self) -> int:
        """The most tokens of an answer; 0 for no limit, which to some servers is what a number below 1 says."""
        fields = (self.max_tokens, self.max_completion_tokens, self.max_output_tokens)
        said = [_number(value) for value in fields if value is not None]
        return max(said) if said and min(said) > 0 else 0

    @property
    def choices(self) -> int:
        """How many answers are asked for."""
        return max(1, _number(self.n), _number(self.best_of))


def _number(value: object) -> int:
    """Return what a server may take a value for, rounded up; 0 for no number."""
    if type(value) is int:
        return value
    try:
        return ceil(float(value)) if isinstance(value, str | float) else 0
    except (ValueError, OverflowError):
        return 0


_NO_LIMITS: Final = _Limits()
_read_limits = msgspec.json.Decoder(_Limits).decode


def most(ask: Ask, target: Target) -> Need:
    """Return the most that one attempt of ``target`` can take."""
    bound = _TASKS.get(ask.operation)
    if bound is not None:
        return bound(ask)
    if ask.operation not in TALKS:
        return Need(len(ask.raw), len(ask.raw), limited=True)
    limits = _limits(ask)
    given, said = _given(ask, target), limits.said
    if target.window and given > target.window:
        given = target.window
    choices = limits.choices
    if ask.operation is Operation.COMPLETION and isinstance(prompts := getattr(ask.found, "prompts", None), Sized):
        # Each prompt of a list is answered by itself.
        choices *= max(1, len(prompts))
    return Need(given, (said or target.max_output) * choices, limited=said > 0, choices=choices)


def limited(ask: Ask, tokens: int) -> Ask:
    """Return ``ask`` for an answer of at most ``tokens`` tokens a choice."""
    return ask.asking(replace(ask.prompt, max_tokens=tokens))


def estimate(ask: Ask) -> int:
    """Return about how many tokens a call takes, in and out."""
    given = (len(ask.raw) or _measured(ask, _IMAGE)) // _BYTES_A_TOKEN
    return given + (_limits(ask).said or _ANSWER) if ask.operation in TALKS else given


def _limits(ask: Ask) -> _Limits:
    if not ask.raw:
        return _Limits(max_tokens=ask.prompt.max_tokens, n=ask.prompt.n)
    raw = ask.raw
    if b'"max_' not in raw and b'"n"' not in raw and b'"best_of"' not in raw and not _hides(raw):
        return _NO_LIMITS
    try:
        return _read_limits(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Whether such a body is refused is for the codec and the upstream to say.
        return _NO_LIMITS


def _hides(raw: bytes) -> bool:
    return b"\\u00" in raw and _HIDDEN(raw) is not None


def _has_media(raw: bytes) -> bool:
    """Whether a request may hold more than its bytes tell."""
    return b"image" in raw or b"file" in raw or b"document" in raw or b"video" in raw or _hides(raw)


def _given(ask: Ask, target: Target) -> int:
    """Return the most tokens that a prompt can have."""
    raw = ask.raw
    if raw and (ask.operation is not Operation.CHAT or not _has_media(raw)):
        return len(raw) + (_ADDED + _TOOLS if b"tools" in raw else _ADDED)
    return _measured(ask, _IMAGE_33 if _COUNTS_33 in (target.upstream or target.model) else _IMAGE)


def _measured(ask: Ask, image: int) -> int:
    """Return the most tokens of a prompt that holds more than text, or that a stage has changed."""
    prompt = ask.prompt
    parts = sum(_size(part, image) for message in prompt.messages for part in message.parts)
    frames = sum(16 + len(message.name or "") for message in prompt.messages)
    rest = len(msgspec.json.encode(replace(prompt, messages=())))
    return parts + frames + rest + (_ADDED + _TOOLS if prompt.tools else _ADDED)


def _size(part: Part, image: int) -> int:
    if isinstance(part, ToolResultPart):
        return 64 + sum(_size(inner, image) for inner in part.content)
    size = len(msgspec.json.encode(part))
    if isinstance(part, ImagePart):
        return size - len(part.data) + image
    if isinstance(part, DocumentPart):
        return size if part.media_type == "text/plain" and not part.url else size + _DOCUMENT
    if isinstance(part, OpaquePart) and not isinstance(part, AudioPart) and _has_media(bytes(part.payload)):
        return size + _DOCUMENT
    return size


def _embedding(ask: Ask) -> Need:
    return Need(len(ask.raw), 0, limited=True)


def _rerank(ask: Ask) -> Need:
    size = len(ask.raw)
    # A unit is a query with up to a hundred documents, and a long one is several.
    return Need(size, 0, limited=True, other=Usage(rerank_units=1 + size // 300))


def _heard(ask: Ask) -> Need:
    size = len(ask.raw)
    rate = _SOUND if _STEADY(ask.raw, 0, 4096) else _SILENCE
    # Ten tokens a second in, and as many out as anyone can say.
    return Need(
        _ADDED + size * 25 // rate, _ADDED + size * 25 // rate, limited=True, other=Usage(audio_ms=size * 1000 // rate)
    )


def _spoken(ask: Ask) -> Need:
    size = len(ask.raw)
    return Need(size, size * 8, limited=True, other=Usage(characters=size))


def _drawn(ask: Ask) -> Need:
    is_json = ask.kind == b"application/json"
    count = _limits(ask).choices if is_json else _form_count(ask)
    shown = ask.raw.count(b"image" if is_json else b"filename") if ask.operation is Operation.IMAGE_EDIT else 0
    given = (len(ask.raw) if is_json else _IMAGE) + _SHOWN * shown
    return Need(given, _DRAWN * count, limited=True, other=Usage(images=count))


def _form_count(ask: Ask) -> int:
    field = getattr(ask.found, "field", None)
    said = field("n") if callable(field) else None
    return max(1, int(said)) if said and said.isdecimal() and len(said) < 10 else _IMAGES if said else 1


def _counted(ask: Ask) -> Need:
    return Need(0, 0, limited=True)


_TASKS: Final[dict[Operation, Callable[[Ask], Need]]] = {
    Operation.COUNT: _counted,
    Operation.EMBEDDING: _embedding,
    Operation.MODERATION: _embedding,
    Operation.RERANK: _rerank,
    Operation.TRANSCRIPTION: _heard,
    Operation.TRANSLATION: _heard,
    Operation.SPEECH: _spoken,
    Operation.IMAGE: _drawn,
    Operation.IMAGE_EDIT: _drawn,
}
