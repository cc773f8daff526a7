"""The parts of Gemini's wire that Mainstay reads, and what its words mean.

One form serves whole answers and the events of a stream: each event is an answer with what is new. Only fields that
some step of the line needs are typed. Nothing here knows a request, a stream's order or an error's class.
"""

import re
from typing import Any

import msgspec

from mainstay.core.events import FinishReason
from mainstay.core.usage import Usage
from mainstay.providers.wire import NOTHING, UNREADABLE, count, json_object, present, service

__all__ = [
    "MALFORMED",
    "Meter",
    "WireBlob",
    "WireCall",
    "WireCandidate",
    "WireChunk",
    "WireContent",
    "WireFeedback",
    "WirePart",
    "finish_reason",
    "generation",
    "is_terminal",
]

_FILTERED = (
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "MODEL_ARMOR",
)
_FINISH = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "CONTINUATION": FinishReason.PAUSED,
    **dict.fromkeys(_FILTERED, FinishReason.FILTERED),
}
#: The model wrote something that is no answer; asked again it usually writes one.
MALFORMED = frozenset({"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL"})
_GENERATION = re.compile(r"gemini-(\d+)")
_LATEST = 3


class WireCall(msgspec.Struct, rename="camel", gc=False):
    """A call of a function, whole: ``args`` keeps its bytes."""

    name: str | None = None
    id: str | None = None
    args: msgspec.Raw = NOTHING
    partial_args: msgspec.Raw = NOTHING


class WireBlob(msgspec.Struct, rename="camel", gc=False):
    """Bytes in base64."""

    mime_type: str = ""
    data: str = ""


class WirePart(msgspec.Struct, rename="camel", gc=False):
    """One part of the content. A kind that is not named here leaves all fields as they are."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: WireCall | None = None
    inline_data: msgspec.Raw = NOTHING


class WireContent(msgspec.Struct, gc=False):
    """What one candidate says."""

    parts: list[WirePart] | None = None


class WireCandidate(msgspec.Struct, rename="camel", gc=False):
    """One choice."""

    index: int | None = None
    content: WireContent | None = None
    finish_reason: str | None = None
    logprobs_result: msgspec.Raw = NOTHING
    citation_metadata: msgspec.Raw = NOTHING
    grounding_metadata: msgspec.Raw = NOTHING
    url_context_metadata: msgspec.Raw = NOTHING


class WireFeedback(msgspec.Struct, rename="camel", gc=False):
    """What the filter says of the prompt."""

    block_reason: str | None = None


class WireChunk(msgspec.Struct, rename="camel", gc=False):
    """A whole answer, or one event of a stream."""

    candidates: list[WireCandidate] | None = None
    response_id: str | None = None
    model_version: str | None = None
    prompt_feedback: WireFeedback | None = None
    usage_metadata: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


class _Usage(msgspec.Struct, rename="camel", gc=False):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    cached_content_token_count: int | None = None
    thoughts_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: msgspec.Raw = NOTHING
    candidates_tokens_details: msgspec.Raw = NOTHING
    tool_use_prompt_tokens_details: msgspec.Raw = NOTHING
    cache_tokens_details: msgspec.Raw = NOTHING
    service_tier: Any = None
    traffic_type: Any = None


class _Modality(msgspec.Struct, rename="camel", gc=False):
    modality: str = ""
    token_count: Any = None


_COUNTS, _DETAILS = _Usage.__struct_fields__[:6], _Usage.__struct_fields__[6:10]
_usage = msgspec.json.Decoder(_Usage)
_modalities = msgspec.json.Decoder(list[_Modality])


def is_terminal(word: str | None) -> bool:
    """Return whether ``finishReason`` says that the candidate has ended."""
    return bool(word) and word != "FINISH_REASON_UNSPECIFIED"


def finish_reason(word: str, *, tools: bool) -> FinishReason:
    """Return what ``finishReason`` means; the wire says STOP also when the answer calls functions."""
    reason = _FINISH.get(word, FinishReason.OTHER)
    return FinishReason.TOOLS if tools and reason is FinishReason.STOP else reason


def generation(model: str) -> int:
    """Return the generation in a model's name (``gemini-2.5-pro`` is 2), or 0 when it names none.

    Names that move with the newest model (``gemini-flash-latest``) count as the third, from which on they do.
    """
    found = _GENERATION.search(model)
    if found is not None:
        return int(found[1][:4])
    return _LATEST if "gemini" in model and model.endswith("-latest") else 0


class Meter:
    """Keeps the usage of one answer.

    Counts on the wire are totals so far: a later report replaces what it mentions and leaves the rest; nothing is ever
    summed over events.
    """

    __slots__ = ("_last", "_media", "_seen", "usage")

    def __init__(self) -> None:
        self._media = False
        self._last = b""
        self._seen: _Usage | None = None
        #: The totals so far, None until a report came.
        self.usage: Usage | None = None

    def read(self, report: msgspec.Raw) -> Usage | None:
        """Take one ``usageMetadata`` as sent; return the totals if it said anything new, else None.

        A report that cannot be read, or a number that is no count, is as good as none: the answer itself is not at
        fault.
        """
        data = bytes(report)
        if not data or data == self._last:
            return None
        self._last = data
        try:
            new = _usage.decode(data)
        except UNREADABLE:
            new = _believable(data)
        heard = False
        seen = self._seen
        for field in _COUNTS:
            value = getattr(new, field)
            if value is None or not 0 <= value <= _MOST:
                setattr(new, field, None if seen is None else getattr(seen, field))
            else:
                heard = True
        if not heard:
            return None
        self._media = self._media or b"AUDIO" in data or b"IMAGE" in data
        if seen is not None:
            new.service_tier = new.service_tier or seen.service_tier
            new.traffic_type = new.traffic_type or seen.traffic_type
        if self._media and seen is not None:
            for field in _DETAILS:
                if not present(getattr(new, field)):
                    setattr(new, field, getattr(seen, field))
        self._seen = new
        self.usage = _total(new, media=self._media)
        return self.usage


#: Vertex AI's words for tiers of service.
_TRAFFIC = {"on_demand_flex": "flex", "on_demand_priority": "priority", "provisioned_throughput": "provisioned"}
#: Above this a number of JSON is no longer exact everywhere, and no answer has so many tokens.
_MOST = 2**53


def _believable(data: bytes) -> _Usage:
    """Return of a report that is not of its form what is a count all the same."""
    usage = _Usage()
    fields = json_object(data) or {}
    for field, name in zip(_COUNTS, _Usage.__struct_encode_fields__, strict=False):
        value = fields.get(name)
        if value is not None:
            setattr(usage, field, _count(value))
    return usage


def _count(value: msgspec.Raw) -> int | None:
    try:
        return count(msgspec.json.decode(value))
    except UNREADABLE:
        return None


def _total(seen: _Usage, *, media: bool) -> Usage:
    asked = (seen.prompt_token_count or 0) + (seen.tool_use_prompt_token_count or 0)
    made = seen.candidates_token_count or 0
    thoughts = seen.thoughts_token_count or 0
    # Candidates exclude thoughts by the documentation; the total tells of a server that includes them.
    if thoughts and seen.total_token_count != asked + made:
        made += thoughts
    read = min(seen.cached_content_token_count or 0, asked)
    tier = service(seen.service_tier) or _TRAFFIC.get(service(seen.traffic_type), "")
    if not media:
        return Usage(input=asked, output=made, cache_read=read, reasoning=min(thoughts, made), service=tier)
    before, again = _parts(seen.prompt_tokens_details), _parts(seen.tool_use_prompt_tokens_details)
    after, cached = _parts(seen.candidates_tokens_details), _parts(seen.cache_tokens_details)
    heard = min(before.get("AUDIO", 0) + again.get("AUDIO", 0), asked)
    shown = min(before.get("IMAGE", 0) + again.get("IMAGE", 0), asked)
    return Usage(
        input=asked,
        output=made,
        cache_read=read,
        reasoning=min(thoughts, made),
        audio_input=heard,
        audio_output=min(after.get("AUDIO", 0), made),
        image_input=shown,
        image_output=min(after.get("IMAGE", 0), made),
        cache_read_audio=min(cached.get("AUDIO", 0), heard, read),
        cache_read_image=min(cached.get("IMAGE", 0), shown, read),
        service=tier,
    )


def _parts(details: msgspec.Raw) -> dict[str, int]:
    """Return the tokens of each modality."""
    try:
        entries = _modalities.decode(details) if present(details) else []
    except UNREADABLE:
        return {}
    found: dict[str, int] = {}
    for entry in entries:
        found[entry.modality] = found.get(entry.modality, 0) + (count(entry.token_count) or 0)
    return found
