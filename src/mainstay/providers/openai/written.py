"""Pieces of OpenAI's wire that whole and streamed answers write alike."""

from typing import Any

import msgspec

from mainstay.core.usage import Usage
from mainstay.providers.openai.wire import read_fields, read_list

__all__ = ["merge_field", "write_usage"]

#: Fields of ``audio`` that come in pieces.
_PIECES = ("data", "transcript")


def write_usage(usage: Usage) -> dict[str, Any]:
    """Return ``usage`` with its details, as the official API writes it."""
    before = {"cached_tokens": usage.cache_read, "audio_tokens": usage.audio_input}
    if usage.cache_write:
        before["cache_write_tokens"] = usage.cache_write
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": before,
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": usage.audio_output,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def merge_field(before: Any, value: msgspec.Raw) -> Any:
    """Return a field's value after one more piece of a stream said ``value``.

    Lists grow, the data and transcript of ``audio`` are joined, of anything else the last counts.
    """
    data = bytes(value)
    if data[:1] == b"[":
        return [*before, *read_list(value)] if isinstance(before, list) else read_list(value)
    if data[:1] == b"{" and isinstance(before, dict):
        fields = {**before}
        for name, piece in read_fields(value).items():
            old = fields.get(name)
            if name in _PIECES and old is not None and bytes(piece)[:1] == b'"':
                text = msgspec.json.decode(old, type=str) + msgspec.json.decode(piece, type=str)
                fields[name] = msgspec.Raw(msgspec.json.encode(text))
            else:
                fields[name] = piece
        return fields
    return dict(read_fields(value)) if data[:1] == b"{" else value
