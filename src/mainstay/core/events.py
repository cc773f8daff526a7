"""What an answer is made of: events that belong to no dialect, and the frame that brought them.

A codec turns an upstream's wire into events; an endpoint turns events into the caller's wire. Rails, usage and shape
work on events only, so a rule cannot hold for one dialect and miss another. A frame keeps the upstream's own bytes
beside the events, so that an unchanged answer in the caller's own dialect passes through untouched, unknown fields
included. A stage that changes an answer yields frames without ``wire``.
"""

from enum import StrEnum

import msgspec

from mainstay.core.sources import Citation, Pin, Search
from mainstay.core.usage import Usage

__all__ = [
    "Cited",
    "ClaimEnded",
    "Dialect",
    "Event",
    "FinishReason",
    "Finished",
    "Frame",
    "Grounded",
    "Metered",
    "Opaque",
    "Piece",
    "RefusalDelta",
    "Started",
    "TextDelta",
    "ThinkingDelta",
    "ThinkingSealed",
    "ToolDelta",
    "ToolStarted",
]


class Dialect(StrEnum):
    """A wire format, by the name of whoever defined it."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    RESPONSES = "responses"
    GEMINI = "gemini"
    COHERE = "cohere"
    BEDROCK = "bedrock"
    COMPLETIONS = "completions"  # OpenAI's legacy completions
    MCP = "mcp"  # the result of a tool, for callers only


class FinishReason(StrEnum):
    """Why a choice ended."""

    STOP = "stop"  # the model was done
    STOP_SEQUENCE = "stop_sequence"  # it wrote one of the caller's stop strings
    LENGTH = "length"  # the output limit was reached
    CONTEXT = "context"  # the context window was reached
    TOOLS = "tools"  # it calls tools and waits
    FILTERED = "filtered"  # a content filter cut it
    REFUSED = "refused"  # the model declined
    PAUSED = "paused"  # a long turn may be continued (Anthropic's pause_turn)
    OTHER = "other"  # a reason we do not know; ``raw`` has it


class Event(msgspec.Struct, frozen=True, gc=False):
    """Base of all events."""


class Started(Event, frozen=True, gc=False):
    """The answer has begun.

    ``id``: the upstream's own id, may be empty. ``model``: the model the upstream says it serves, may be empty.
    ``created``: seconds since 1970, 0 when the dialect has no such field. ``fingerprint``: the provider's own mark of
    what serves, may be empty.
    """

    id: str = ""
    model: str = ""
    created: int = 0
    fingerprint: str = ""


class TextDelta(Event, frozen=True, gc=False):
    """More visible text of one choice. ``logprobs`` is OpenAI's object for these tokens, as sent."""

    text: str
    choice: int = 0
    logprobs: msgspec.Raw | None = None


class RefusalDelta(Event, frozen=True, gc=False):
    """More of the text in which the model declines (OpenAI's ``refusal``)."""

    text: str
    choice: int = 0


class ThinkingDelta(Event, frozen=True, gc=False):
    """More of the model's reasoning, where it is shown."""

    text: str
    choice: int = 0


class ThinkingSealed(Event, frozen=True, gc=False):
    """A block of reasoning is complete.

    ``signature`` proves the block to the vendor and must come back byte for byte; ``redacted`` is the encrypted
    content of a block whose text is withheld. One of the two is set.
    """

    signature: str = ""
    redacted: str = ""
    choice: int = 0


class ToolStarted(Event, frozen=True, gc=False):
    """The model opens a tool call. ``index`` numbers the calls of one choice from 0; ids are never empty."""

    id: str
    name: str
    index: int = 0
    choice: int = 0


class ToolDelta(Event, frozen=True, gc=False):
    """More of a tool call's arguments: a piece of JSON text cut anywhere."""

    arguments: str
    index: int = 0
    choice: int = 0


class Piece(Event, frozen=True, gc=False):
    """More of an answer that is no text: audio, or an image that is not finished. ``size`` is in bytes."""

    size: int


class Opaque(Event, frozen=True, gc=False):
    """Content only its own dialect can express (a citation, a server tool's block): JSON, as sent."""

    payload: msgspec.Raw
    dialect: Dialect
    choice: int = 0


class Cited(Event, frozen=True, gc=False):
    """A claim of the text so far rests on a source. Comes after the claim's last word, and before the ``ClaimEnded``
    that closes it; the verdict may still be ``unchecked``: words do not wait for it. One that is ``late`` comes when
    all has been said, of any claim."""

    citation: Citation
    choice: int = 0
    late: bool = False


class ClaimEnded(Event, frozen=True, gc=False):
    """A claim of the text, cited or not, ends here: what follows belongs to the next."""

    choice: int = 0


class Grounded(Event, frozen=True, gc=False):
    """What a choice rests on, told once before it is ``Finished``: what was searched, and its citations, in the order
    of their ``Cited``, with their last verdicts.

    ``pin`` is None where nothing was found in time. ``sources`` is how many passages the model was given,
    ``oldest_ms`` the age of the oldest of them, None where nobody knows; ``invented`` how many marks named none of
    them. ``verdicts`` counts claims by what came of checking them. ``late`` names parts of the search that were not
    waited for, ``search`` what became of it, and ``nothing`` whether it is done and found nothing.
    """

    pin: Pin | None
    citations: tuple[Citation, ...] = ()
    sources: int = 0
    oldest_ms: int | None = None
    invented: int = 0
    verdicts: tuple[tuple[str, int], ...] = ()
    late: tuple[str, ...] = ()
    nothing: bool = False
    choice: int = 0
    search: Search = "done"


class Finished(Event, frozen=True, gc=False):
    """A choice has ended. ``raw`` is the vendor's own word; ``stop_sequence`` the string that ended it, if known."""

    reason: FinishReason
    choice: int = 0
    raw: str = ""
    stop_sequence: str | None = None


class Metered(Event, frozen=True, gc=False):
    """Token counts so far, for the whole answer; a later one replaces an earlier one, they are never added."""

    usage: Usage


class Frame(msgspec.Struct, gc=False):
    """One step of an answer: the events in it and, if it came over a wire and was not changed, its bytes.

    ``wire`` is the payload in ``dialect``: a whole JSON body, or the data of one server-sent event (JSON, without
    ``data:``). ``wire`` is empty when the frame was made or changed by Mainstay: then the events are all there is.
    A frame with no events and a ``wire`` is a keep-alive or an event nobody here needs to read.
    """

    events: tuple[Event, ...] = ()
    wire: bytes = b""
    dialect: Dialect = Dialect.OPENAI
    #: The name of the server-sent event, for dialects that name them.
    name: str = ""
