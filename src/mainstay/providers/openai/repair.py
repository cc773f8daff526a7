"""What upstreams write wrongly in a chat completion, put right in its bytes; everything else stays as it came.

Stands under the readers of whole and streamed answers, which find what is wrong. What an answer means is theirs: it is
read from what the upstream said, before a word of it was replaced here.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from mainstay.providers.openai.wire import NOTHING, finish_reason, finish_word, mint_call_id, read_fields, read_list

__all__ = ["rename_ends", "repair_calls", "sayable"]

#: The words that callers of OpenAI's wire know for why an answer ended.
_WORDS = frozenset({"stop", "length", "tool_calls", "content_filter", "function_call"})


def sayable(word: str, *, called: bool, legacy: bool) -> str:
    """Return the word that tells a caller why an answer ended, for the one its upstream has.

    ``called``: it calls tools, by the older ``function_call`` where ``legacy``. A word that nobody knows stays.
    """
    if word in _WORDS and not (called and word == "stop"):
        return word
    said = finish_word(finish_reason(word or "stop", called=called), word, called=called)
    return "function_call" if legacy and said == "tool_calls" else said


def rename_ends(data: bytes, words: Mapping[int, str | None]) -> bytes:
    """Return an answer or a chunk with other reasons for its ends, by the place of the choice; None: not ended."""
    fields = read_fields(data)
    choices: list[Any] = list(read_list(fields["choices"]))
    for place, word in words.items():
        choices[place] = {**read_fields(choices[place]), "finish_reason": word}
    return msgspec.json.encode({**fields, "choices": choices})


def repair_calls(body: bytes) -> bytes:
    """Return an answer in which every call has an id and its arguments are text."""
    answer = read_fields(body)
    choices = []
    for raw in read_list(answer["choices"]):
        choice: dict[str, Any] = dict(read_fields(raw))
        message = choice.get("message", NOTHING)
        if bytes(message)[:1] == b"{":
            fields: dict[str, Any] = dict(read_fields(message))
            calls = fields.get("tool_calls", NOTHING)
            if bytes(calls)[:1] == b"[":
                fields["tool_calls"] = [_repair_call(call) for call in read_list(calls)]
                choice["message"] = fields
        choices.append(choice)
    return msgspec.json.encode({**answer, "choices": choices})


def _repair_call(raw: msgspec.Raw) -> dict[str, Any]:
    call: dict[str, Any] = dict(read_fields(raw))
    if bytes(call.get("id", b"")) in (b"", b"null", b'""'):
        call["id"] = mint_call_id()
    if bytes(call.get("function", b""))[:1] == b"{":
        function: dict[str, Any] = dict(read_fields(call["function"]))
        arguments = bytes(function.get("arguments", b"null"))
        if arguments[:1] != b'"':
            function["arguments"] = "" if arguments == b"null" else arguments.decode()
        call["function"] = function
    return call
