"""A whole answer as a message of this wire, and the pieces that streamed answers write alike."""

from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.events import (
    Cited,
    ClaimEnded,
    Dialect,
    Event,
    Finished,
    FinishReason,
    Grounded,
    Metered,
    Opaque,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSealed,
    ToolDelta,
    ToolStarted,
)
from mainstay.core.usage import Usage
from mainstay.providers.anthropic.citations import UNCITED, location
from mainstay.providers.anthropic.wire import UNREADABLE, WireKind
from mainstay.providers.citations import summary

__all__ = ["is_citation", "kind_of", "message_id", "stop_details", "stop_reason", "write_usage", "write_whole"]

_kind = msgspec.json.Decoder(WireKind)
_REASONS = {
    FinishReason.STOP: "end_turn",
    FinishReason.STOP_SEQUENCE: "stop_sequence",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.CONTEXT: "model_context_window_exceeded",
    FinishReason.TOOLS: "tool_use",
    FinishReason.FILTERED: "refusal",
    FinishReason.REFUSED: "refusal",
    FinishReason.PAUSED: "pause_turn",
}
#: Reasons that leave the last tool call unfinished.
_CUT = (FinishReason.LENGTH, FinishReason.CONTEXT)


def write_whole(answer: Whole, *, model: str, id: str, uncited: bool = False) -> bytes:  # noqa: A002  # the wire's own word, as the SDKs have it
    """Return a message.

    An answer that is Anthropic's already is returned as it came. ``model`` and ``id`` stand in for what the answer does
    not say. Only the first of several choices can be said, and only it can be asked for. ``uncited``: citations were
    asked for, and whoever answered gives none.
    """
    if answer.wire and answer.dialect is Dialect.ANTHROPIC:
        return answer.wire
    started, finished, usage = Started(), Finished(FinishReason.STOP), Usage()
    draft = _Draft()
    more: dict[str, Any] = {"mainstay": UNCITED} if uncited else {}
    for event in answer.events:
        if isinstance(event, Started):
            started = event
        elif isinstance(event, Metered):
            usage = event.usage
        elif getattr(event, "choice", 0) != 0:
            continue
        elif isinstance(event, Finished):
            finished = event
        elif isinstance(event, Grounded):
            more = {"mainstay": summary(event, citations=True)}
        else:
            draft.add(event)
    explanation = "".join(draft.refusal)
    return msgspec.json.encode(
        {
            "id": message_id(started.id, id),
            "type": "message",
            "role": "assistant",
            "model": started.model or model,
            "content": draft.content(cut=finished.reason in _CUT),
            "stop_reason": stop_reason(finished, refused=bool(explanation)),
            "stop_sequence": finished.stop_sequence,
            **stop_details(explanation),
            "usage": write_usage(usage),
            **more,
        }
    )


def message_id(given: str, own: str) -> str:
    """Return the upstream's id if it is one of this wire's, else one made of our ``own``."""
    return given if given.startswith("msg_") else f"msg_{own}"


def stop_reason(finished: Finished, *, refused: bool) -> str:
    """Return this wire's word for why the answer ended; an unknown reason passes in the upstream's own word."""
    if refused and finished.reason is FinishReason.STOP:
        return "refusal"
    return _REASONS.get(finished.reason) or finished.raw or "end_turn"


def stop_details(explanation: str) -> dict[str, Any]:
    """Return the field that says in which words the model declined, or nothing when it did not."""
    if not explanation:
        return {}
    return {"stop_details": {"type": "refusal", "category": None, "explanation": explanation}}


def write_usage(usage: Usage) -> dict[str, Any]:
    """Return ``usage`` as this wire counts: the input without its cached parts, which stand beside it."""
    counts: dict[str, Any] = {
        "input_tokens": max(0, usage.input - usage.cache_read - usage.cache_write),
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    if usage.cache_write:
        short = usage.cache_write - usage.cache_write_1h
        made = {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": usage.cache_write_1h}
        counts["cache_creation"] = made
    if usage.reasoning:
        counts["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return counts


def kind_of(payload: msgspec.Raw) -> str:
    """Return the ``type`` of an opaque piece of this wire, or "" when it has none."""
    try:
        return _kind.decode(payload).type
    except UNREADABLE:
        return ""


def is_citation(kind: str) -> bool:
    """Return whether a piece of this ``type`` belongs to the text before it."""
    return kind.endswith("_location")


class _Draft:
    """The content of a message being written: one block for each run of events."""

    def __init__(self) -> None:
        self._blocks: list[dict[str, Any] | msgspec.Raw] = []
        self._last: dict[str, Any] = {}
        #: Blocks of tool calls by index, with the pieces of their arguments.
        self._calls: dict[int, tuple[dict[str, Any], list[str]]] = {}
        self.refusal: list[str] = []
        #: Whether the claim of the last block of text has ended.
        self._claimed = False

    def add(self, event: Event) -> None:
        if isinstance(event, TextDelta):
            # The wire refuses empty text when it comes back in the next turn.
            if event.text:
                # A block is a claim; none may be blank.
                fresh = self._claimed and not event.text.isspace()
                self._say("text", event.text, fresh=fresh)
                self._claimed = self._claimed and not fresh
        elif isinstance(event, ThinkingDelta):
            self._say("thinking", event.text, fresh=bool(self._last.get("signature")))
        elif isinstance(event, ThinkingSealed):
            self._seal(event)
        elif isinstance(event, ToolStarted):
            block = self._open({"type": "tool_use", "id": event.id, "name": event.name})
            self._calls[event.index] = (block, [])
        elif isinstance(event, ToolDelta):
            if event.index in self._calls:
                self._calls[event.index][1].append(event.arguments)
        elif isinstance(event, RefusalDelta):
            self.refusal.append(event.text)
        elif isinstance(event, Cited):
            if self._last.get("type") == "text" and not event.late:
                self._last.setdefault("citations", []).append(location(event.citation))
        elif isinstance(event, ClaimEnded):
            self._claimed = True
        elif isinstance(event, Opaque) and event.dialect is Dialect.ANTHROPIC:
            self._carry(event.payload)

    def content(self, *, cut: bool) -> list[dict[str, Any] | msgspec.Raw]:
        """Return the blocks; ``cut`` when a limit ended the answer."""
        last = max(self._calls, default=-1)
        for index, (block, pieces) in self._calls.items():
            block["input"] = _input("".join(pieces), cut=cut and index == last)
        return self._blocks

    def _open(self, block: dict[str, Any]) -> dict[str, Any]:
        self._blocks.append(block)
        self._last = block
        return block

    def _say(self, kind: str, text: str, *, fresh: bool) -> None:
        if fresh or self._last.get("type") != kind:
            self._open({"type": kind, kind: text, **({"signature": ""} if kind == "thinking" else {})})
        else:
            self._last[kind] += text

    def _seal(self, event: ThinkingSealed) -> None:
        if event.redacted:
            self._open({"type": "redacted_thinking", "data": event.redacted})
        else:
            self._say("thinking", "", fresh=bool(self._last.get("signature")))
            self._last["signature"] = event.signature

    def _carry(self, payload: msgspec.Raw) -> None:
        kind = kind_of(payload)
        if is_citation(kind):
            if self._claimed or self._last.get("type") != "text":
                # Some come before the words that they are of.
                self._say("text", "", fresh=True)
                self._claimed = False
            self._last.setdefault("citations", []).append(payload)
        elif not kind.endswith("_delta"):
            self._blocks.append(payload)
            self._last = {}


def _input(arguments: str, *, cut: bool) -> Any:
    """Return a call's arguments as the value they are; what is no JSON stays the text it is and is never repaired."""
    if not arguments.strip() and not cut:
        return {}
    try:
        msgspec.json.decode(arguments)
    except UNREADABLE:
        return arguments
    return msgspec.Raw(arguments.encode())
