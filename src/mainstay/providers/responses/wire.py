"""The parts of a Responses upstream's answers that Mainstay reads, and what their words mean.

Only fields that some step of the line needs are typed; everything else stays in the bytes that a frame or a whole
answer carries. Nothing here knows a request or a stream's order.
"""

from typing import Any

import msgspec

from mainstay.core.errors import MainstayError, UpstreamBroken
from mainstay.core.events import Dialect, Finished, FinishReason, Opaque
from mainstay.core.usage import Usage
from mainstay.providers.openai.errors import classify_inner
from mainstay.providers.openai.wire import an_object, opaque
from mainstay.providers.responses.door import NOTHING, UNREADABLE, present
from mainstay.providers.wire import count, money, service

__all__ = [
    "WireEvent",
    "WireItem",
    "WirePart",
    "WireResponse",
    "annotation_event",
    "arguments_text",
    "broken",
    "ending",
    "failure",
    "open_signature",
    "read_item",
    "read_usage",
    "sign",
    "token_logprobs",
    "waits_for_caller",
]

_MARK = "responses:"
#: Codes of a failed response that blame the request.
_CALLERS = ("invalid_", "image_", "unsupported_", "empty_", "bio_policy", "failed_to_download")
#: Calls that the caller has to answer before the model goes on.
_WAITING = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
        "computer_call",
        "mcp_approval_request",
    }
)
_INCOMPLETE = {
    "max_output_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.FILTERED,
    "max_messages": FinishReason.PAUSED,
}


class WirePart(msgspec.Struct):
    """A part of a message's content, or of reasoning."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[msgspec.Raw] | None = None
    logprobs: msgspec.Raw = NOTHING


class WireItem(msgspec.Struct):
    """One item of the output, whatever its kind. ``arguments`` keeps its bytes."""

    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: msgspec.Raw = NOTHING
    content: list[WirePart] | None = None
    summary: list[WirePart] | None = None
    encrypted_content: str | None = None


class _Reason(msgspec.Struct, gc=False):
    reason: str | None = None


class _Head(msgspec.Struct, gc=False):
    type: str = ""
    id: str | None = None
    call_id: str | None = None


class WireResponse(msgspec.Struct):
    """A response: the whole answer, or what the events at both ends of a stream hold."""

    id: str | None = None
    model: str | None = None
    created_at: int | float | None = None
    status: str | None = None
    output: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = NOTHING
    error: Any = None
    incomplete_details: _Reason | None = None
    object: Any = None
    service_tier: Any = None


class WireEvent(msgspec.Struct, gc=False):
    """One server-sent event's data, whatever its kind: one flat view of them all."""

    type: str = ""
    delta: str | None = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    logprobs: msgspec.Raw = NOTHING
    text: str | None = None
    refusal: str | None = None
    arguments: msgspec.Raw = NOTHING
    item: msgspec.Raw = NOTHING
    annotation: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING


class _InputDetails(msgspec.Struct, gc=False):
    cached_tokens: Any = None
    cache_write_tokens: Any = None
    audio_tokens: Any = None
    image_tokens: Any = None


class _OutputDetails(msgspec.Struct, gc=False):
    reasoning_tokens: Any = None
    audio_tokens: Any = None
    image_tokens: Any = None


class _Usage(msgspec.Struct, gc=False):
    input_tokens: Any = None
    output_tokens: Any = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None
    cost: Any = None
    cost_in_usd_ticks: Any = None
    num_sources_used: Any = None


class _Action(msgspec.Struct, gc=False):
    type: Any = None


class _Hosted(msgspec.Struct, gc=False):
    type: str = ""
    action: _Action | None = None


_hosted = msgspec.json.Decoder(_Hosted)
_item = msgspec.json.Decoder(WireItem)
_head = msgspec.json.Decoder(_Head)
_usage = msgspec.json.Decoder(_Usage)
_text = msgspec.json.Decoder(str)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_item(raw: msgspec.Raw) -> WireItem:
    """Decode one item of the output.

    Raises:
        UpstreamBroken: it is none, or one of a kind that must be read and cannot be.
    """
    try:
        item = _item.decode(raw)
        if item.type:
            return item
    except UNREADABLE:
        pass
    # A kind we do not know may use our names for other shapes; it is carried, not read.
    try:
        head = _head.decode(raw)
    except UNREADABLE:
        head = _Head()
    if head.type in ("", "message", "reasoning", "function_call"):
        raise broken("an item that cannot be read")
    return WireItem(head.type, head.id, head.call_id)


def arguments_text(arguments: msgspec.Raw) -> str:
    """Return a call's arguments as the JSON text they should have been; some servers send the object itself."""
    data = bytes(arguments)
    if data[:1] == b'"':
        return _text.decode(data)
    return "" if data in (b"", b"null") else data.decode()


def read_usage(response: WireResponse) -> Usage | None:
    """Return what a response took by kind, or None when nothing was counted. No part is larger than its whole.

    Searches and calls of the vendor's other tools are not in its report; they are counted in its output.
    """
    if not present(response.usage):
        return None
    try:
        said = _usage.decode(response.usage)
    except UNREADABLE:
        # Counts of an unknown shape are no reason to lose the answer.
        return None
    asked, made = count(said.input_tokens), count(said.output_tokens)
    if asked is None and made is None:
        return None
    asked, made = asked or 0, made or 0
    before = said.input_tokens_details or _InputDetails()
    after = said.output_tokens_details or _OutputDetails()
    return Usage(
        input=asked,
        output=made,
        cache_read=min(count(before.cached_tokens) or 0, asked),
        cache_write=min(count(before.cache_write_tokens) or 0, asked),
        reasoning=min(count(after.reasoning_tokens) or 0, made),
        audio_input=min(count(before.audio_tokens) or 0, asked),
        audio_output=min(count(after.audio_tokens) or 0, made),
        image_input=min(count(before.image_tokens) or 0, asked),
        image_output=min(count(after.image_tokens) or 0, made),
        searches=_hosted_calls(response, b"web_search_call") or count(said.num_sources_used) or 0,
        tool_calls=_hosted_calls(response, b"file_search_call"),
        service=service(response.service_tier),
        reported=money(said.cost) if said.cost_in_usd_ticks is None else money(said.cost_in_usd_ticks, ticks=True),
    )


def _hosted_calls(response: WireResponse, kind: bytes) -> int:
    """Return how many calls of one of the vendor's tools are billed; a search that only opens a page is not."""
    calls = 0
    for raw in response.output or ():
        if b'"' + kind + b'"' not in bytes(raw):
            continue
        try:
            item = _hosted.decode(raw)
        except UNREADABLE:
            continue
        calls += item.type.encode() == kind and (item.action is None or item.action.type in (None, "search"))
    return calls


def ending(status: str, details: _Reason | None, *, waits: bool) -> Finished:
    """Return how a response with ``status`` ended; ``waits`` says whether it calls tools of the caller's."""
    if status == "incomplete":
        word = (details.reason if details is not None else None) or ""
        # A new reason is still one for which the answer was cut.
        return Finished(_INCOMPLETE.get(word, FinishReason.LENGTH), 0, word or status)
    return Finished(FinishReason.TOOLS if waits else FinishReason.STOP, 0, status)


def waits_for_caller(kind: str) -> bool:
    """Return whether an item of ``kind`` is a call that the caller has to answer."""
    return kind in _WAITING


def failure(response: bytes) -> MainstayError:
    """Return the error that a response with the status ``failed`` tells of."""
    try:
        error = an_object(_fields.decode(response).get("error", NOTHING))
        fields = _fields.decode(error) if error is not None else {}
    except UNREADABLE:
        fields = {}
    code = bytes(fields.get("code", b"")).strip(b'"').decode("utf-8", "replace")
    kind = b'"invalid_request_error"' if code.startswith(_CALLERS) else b'"server_error"'
    return classify_inner(msgspec.json.encode({"error": {"type": msgspec.Raw(kind), **fields}}))


def broken(what: str) -> UpstreamBroken:
    """Return the error for an answer that cannot be read; ``what`` completes the sentence."""
    return UpstreamBroken(f"The upstream sent {what}; ask again.")


def sign(item_id: str, encrypted: str) -> str:
    """Return the proof of a block of reasoning as it travels through other dialects: no other vendor takes it."""
    return f"{_MARK}{item_id}:{encrypted}"


def open_signature(signature: str) -> tuple[str, str] | None:
    """Return the id of a block of reasoning and its encrypted content, or None for another vendor's signature."""
    if not signature.startswith(_MARK):
        return None
    item_id, mark, encrypted = signature[len(_MARK) :].partition(":")
    return (item_id, encrypted) if mark else None


def token_logprobs(given: msgspec.Raw) -> msgspec.Raw | None:
    """Return the probabilities of some text's tokens as chat's object, or None when there are none."""
    data = bytes(given)
    if data[:1] != b"[" or data == b"[]" or not _list.decode(data):
        return None
    return msgspec.Raw(b'{"content":' + data + b',"refusal":null}')


def annotation_event(raw: msgspec.Raw) -> Opaque | None:
    """Return an annotation as the event that says it: of an address in chat's form, any other in this wire's own."""
    if bytes(raw)[:1] != b"{":
        return None
    fields = _fields.decode(raw)
    kind = fields.get("type", NOTHING)
    if bytes(kind) != b'"url_citation"':
        return Opaque(msgspec.Raw(msgspec.json.encode({"annotations": [raw]})), Dialect.RESPONSES)
    inner = {name: value for name, value in fields.items() if name != "type"}
    entry = {"type": kind, "url_citation": inner}
    return opaque("message", {"annotations": msgspec.Raw(msgspec.json.encode([entry]))})
