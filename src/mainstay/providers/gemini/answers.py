"""What an answer of Gemini's wire says, as events: whole, or piece by piece.

An event of a stream has the form of a whole answer, so both are read here. A signature becomes a seal that names its
part (see ``seals``): before the call it belongs to, after the text or thought. Parts that events have no word for
(code that was run, a server's own tool, inline media) are opaque, and so is what a candidate rests on (citations,
grounding). An image that the model drew is told in OpenAI's words too, as its ``images``, for callers of that wire.
"""

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.errors import ContentFiltered, UpstreamInterrupted
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    Metered,
    Opaque,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.fold import fold
from mainstay.core.ids import uuid7
from mainstay.core.seal import mark
from mainstay.providers.gemini.errors import broken, classify, fault_of
from mainstay.providers.gemini.logprobs import read_logprobs
from mainstay.providers.gemini.seals import Kind, seal
from mainstay.providers.gemini.wire import (
    MALFORMED,
    Meter,
    WireBlob,
    WireCall,
    WireCandidate,
    WireChunk,
    WirePart,
    finish_reason,
    is_terminal,
)
from mainstay.providers.wire import UNREADABLE, json_object, mend, present

__all__ = ["Reading", "read_chunk", "read_whole"]

_chunk = msgspec.json.Decoder(WireChunk)
_chunks = msgspec.json.Decoder(list[msgspec.Raw])
_blob = msgspec.json.Decoder(WireBlob)

#: More choices than any vendor gives; beyond it a number is a fault, not a choice.
_MOST_CHOICES = 1024
_EMPTY = (b"", b"null", b"{}")
#: Fields of a part that only carries a signature.
_CARRIERS = frozenset({"thoughtSignature", "thought", "text"})


class _RawContent(msgspec.Struct, gc=False):
    parts: list[msgspec.Raw] | None = None


class _RawCandidate(msgspec.Struct, gc=False):
    content: _RawContent | None = None


class _RawChunk(msgspec.Struct, gc=False):
    candidates: list[_RawCandidate] | None = None


_raw = msgspec.json.Decoder(_RawChunk)


def read_whole(body: bytes, maker: str = "") -> Whole:
    """Read the body of a successful answer; a list, as streams without ``alt=sse`` are, is read as one answer.

    ``maker`` is the provider whose answer it is; see :class:`Reading`.

    Raises:
        MainstayError: it is an error under a status of 200 (classified like any other).
        ContentFiltered: the prompt was blocked.
        UpstreamBroken: it is not an answer.
        UpstreamInterrupted: it has no end.
    """
    reading = Reading(maker)
    if body.lstrip()[:1] == b"[":
        try:
            pieces = _chunks.decode(body)
        except UNREADABLE:
            raise broken("an answer that is not JSON") from None
    else:
        pieces = [msgspec.Raw(body)]
    events: list[Event] = []
    for piece in pieces:
        chunk, data = read_chunk(bytes(piece))
        events += reading.read(chunk, data)
        reading.meter.read(chunk.usage_metadata)
    if not reading.begun:
        raise broken("an answer without candidates")
    ends = reading.end()
    if reading.meter.usage is not None:
        ends.append(Metered(reading.meter.usage))
    whole = fold((*events, *ends))
    return msgspec.structs.replace(whole, wire=body, dialect=Dialect.GEMINI)


def read_chunk(data: bytes) -> tuple[WireChunk, bytes]:
    """Return an answer or a piece of one, and its bytes, mended where they were no text.

    Raises:
        MainstayError: it is an error.
        UpstreamBroken: it cannot be read.
    """
    try:
        chunk = _chunk.decode(data)
    except UNREADABLE:
        mended = mend(data)
        if mended != data:
            return read_chunk(mended)
        if (fault := fault_of(data)) is not None:
            raise classify(None, fault) from None
        raise broken("an answer that cannot be read") from None
    if present(chunk.error):
        raise classify(None, fault_of(data))
    return chunk, data


class _Candidate:
    """What one candidate has said so far."""

    __slots__ = ("calls", "finish")

    def __init__(self) -> None:
        self.calls = 0
        self.finish = ""


class Reading:
    """One answer being read; remembers what spans its pieces.

    Args:
        maker: the provider whose answer it is, named on every signature; "" for none.
    """

    __slots__ = ("_candidates", "_maker", "_started", "meter")

    def __init__(self, maker: str = "") -> None:
        self._maker = maker
        self._started = False
        self._candidates: dict[int, _Candidate] = {}
        self.meter = Meter()

    @property
    def begun(self) -> bool:
        """Whether any candidate has come."""
        return bool(self._candidates)

    def read(self, chunk: WireChunk, data: bytes) -> list[Event]:
        """Return what ``chunk`` says, but for its usage and ends; ``data`` is its bytes.

        Raises:
            ContentFiltered: the prompt was blocked.
            UpstreamBroken: a part cannot be read.
        """
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(Started(id=chunk.response_id or "", model=chunk.model_version or ""))
        feedback = chunk.prompt_feedback
        if feedback is not None and _is_blocked(feedback.block_reason) and not chunk.candidates:
            raise ContentFiltered("The upstream's content filter refused the prompt; change it.")
        for position, candidate in enumerate(chunk.candidates or ()):
            choice = candidate.index or 0
            state = self._candidates.get(choice)
            if state is None:
                if not 0 <= choice < _MOST_CHOICES:
                    raise broken("a candidate with a number that cannot be")
                state = self._candidates[choice] = _Candidate()
            self._read_candidate(candidate, state, choice, position, data, events)
        return events

    def end(self) -> list[Event]:
        """Return the ends of all candidates, once the body has ended.

        The wire may say STOP on every piece, and STOP before a call: only the end shows which one counts.

        Raises:
            UpstreamInterrupted: not every candidate has ended.
            UpstreamBroken: what the model wrote is no answer.
        """
        ends: list[Event] = []
        words = [state.finish for state in self._candidates.values()]
        if not words or not all(words):
            raise UpstreamInterrupted("The upstream broke off its answer; ask again.")
        if MALFORMED.issuperset(words):
            raise broken("a tool call that cannot be read")
        for choice in sorted(self._candidates):
            state = self._candidates[choice]
            ends.append(Finished(finish_reason(state.finish, tools=state.calls > 0), choice, state.finish))
        return ends

    def _read_candidate(
        self, candidate: WireCandidate, state: _Candidate, choice: int, position: int, data: bytes, events: list[Event]
    ) -> None:
        logprobs = read_logprobs(candidate.logprobs_result) if present(candidate.logprobs_result) else None
        parts = candidate.content.parts if candidate.content is not None else None
        for number, part in enumerate(parts or ()):
            signature = mark(self._maker, part.thought_signature or "")
            if part.function_call is not None:
                if signature:
                    events.append(ThinkingSealed(signature=seal("call", state.calls, signature), choice=choice))
                _read_call(part.function_call, state.calls, choice, events)
                state.calls += 1
            elif part.text is not None:
                kind: Kind = "thought" if part.thought else "text"
                if part.thought:
                    if part.text:
                        events.append(ThinkingDelta(part.text, choice))
                elif part.text or logprobs is not None:
                    events.append(TextDelta(part.text, choice, logprobs))
                    logprobs = None
                if signature:
                    events.append(ThinkingSealed(signature=seal(kind, 0, signature), choice=choice))
            else:
                _read_other(part, position, number, data, choice, events)
                if signature:
                    events.append(ThinkingSealed(signature=seal("text", 0, signature), choice=choice))
        if logprobs is not None:
            events.append(TextDelta("", choice, logprobs))
        for name, value in (
            ("citationMetadata", candidate.citation_metadata),
            ("groundingMetadata", candidate.grounding_metadata),
            ("urlContextMetadata", candidate.url_context_metadata),
        ):
            if bytes(value) not in _EMPTY:
                payload = msgspec.Raw(msgspec.json.encode({name: value}))
                events.append(Opaque(payload, Dialect.GEMINI, choice))
        if is_terminal(candidate.finish_reason):
            state.finish = candidate.finish_reason or ""


def _is_blocked(word: str | None) -> bool:
    """Return whether ``blockReason`` says that the prompt was blocked."""
    return bool(word) and word not in ("BLOCK_REASON_UNSPECIFIED", "BLOCKED_REASON_UNSPECIFIED")


def _read_call(call: WireCall, index: int, choice: int, events: list[Event]) -> None:
    if not call.name:
        raise broken("a tool call without a name")
    if present(call.partial_args):
        # Pieces of arguments by their paths come only to those who ask for them, and no caller can.
        raise broken("a tool call in pieces that nobody asked for")
    arguments = "{}"
    if present(call.args):
        try:
            arguments = bytes(call.args).decode()
        except UnicodeDecodeError:
            raise broken("a tool call that cannot be read") from None
    events.append(ToolStarted(call.id or f"call_{uuid7()}", call.name, index, choice))
    events.append(ToolDelta(arguments, index, choice))


def _read_other(part: WirePart, position: int, number: int, data: bytes, choice: int, events: list[Event]) -> None:
    """Add a part that events have no word for; its bytes are looked up, since few answers have any."""
    candidates = _raw.decode(data).candidates or []
    content = candidates[position].content
    raw = (content.parts or [])[number] if content is not None else msgspec.Raw(b"{}")
    # A part that only carries a signature says nothing itself.
    if (json_object(bytes(raw)) or {}).keys() <= _CARRIERS:
        return
    events.append(Opaque(raw, Dialect.GEMINI, choice))
    if present(part.inline_data) and not part.thought:
        try:
            blob = _blob.decode(part.inline_data)
        except UNREADABLE:
            raise broken("media that cannot be read") from None
        if blob.mime_type.startswith("image/"):
            url = f"data:{blob.mime_type};base64,{blob.data}"
            image = {"type": "image_url", "image_url": {"url": url}}
            payload = msgspec.Raw(msgspec.json.encode({"message": {"images": [image]}}))
            events.append(Opaque(payload, Dialect.OPENAI, choice))
