"""A completion as its caller reads it, whole and streamed, whatever answered: a completion's own bytes, or events."""

from typing import Any

import msgspec

from mainstay.core.answer import Whole
from mainstay.core.errors import MainstayError
from mainstay.core.events import (
    Dialect,
    Event,
    Finished,
    Frame,
    Metered,
    RefusalDelta,
    Started,
    TextDelta,
)
from mainstay.core.usage import Usage
from mainstay.providers.openai.errors import render
from mainstay.providers.openai.wire import finish_word, read_fields, read_list
from mainstay.providers.openai.written import write_usage

__all__ = ["CompletionWriter", "write_whole"]

_encode = msgspec.json.encode
_OBJECT = "text_completion"
_FORM = b'"token_logprobs"'


def write_whole(whole: Whole, *, model: str, id: str, created: int) -> bytes:  # noqa: A002  # the wire's own word
    """Return the body that says ``whole``; the arguments are used where the upstream said nothing."""
    texts: dict[int, list[str]] = {}
    choices: dict[int, dict[str, Any]] = {}
    head, usage = Started(), whole.usage
    for event in whole.events:
        if isinstance(event, Started):
            head = event
        elif isinstance(event, TextDelta | RefusalDelta):
            texts.setdefault(event.choice, []).append(event.text)
            # A conversation's have another form.
            if isinstance(event, TextDelta) and event.logprobs is not None and _FORM in bytes(event.logprobs):
                _choice(choices, event.choice)["logprobs"] = event.logprobs
        elif isinstance(event, Finished):
            word = finish_word(event.reason, event.raw, called=False)
            _choice(choices, event.choice)["finish_reason"] = "stop" if word == "tool_calls" else word
        elif isinstance(event, Metered):
            usage = event.usage
    for index, pieces in texts.items():
        _choice(choices, index)["text"] = "".join(pieces)
    answer: dict[str, Any] = {
        "id": _identity(head.id, id),
        "object": _OBJECT,
        "created": head.created or created,
        "model": head.model or whole.model or model,
        "choices": [choices[index] for index in sorted(choices)],
    }
    if usage is not None:
        answer["usage"] = write_usage(usage)
    return _encode(answer)


def _choice(choices: dict[int, dict[str, Any]], index: int) -> dict[str, Any]:
    empty = {"text": "", "index": index, "logprobs": None, "finish_reason": None}
    return choices.setdefault(index, empty)


def _identity(given: str, made: str) -> str:
    return given if given.startswith("cmpl-") else f"cmpl-{(given or made).removeprefix('chatcmpl-')}"


class CompletionWriter:
    """Writes one stream; see :class:`~mainstay.line.streaming.StreamWriter`.

    Args:
        include_usage: the caller asked for the usage chunk.
        model: named when the upstream names none.
        id: makes the id when the upstream gives none.
        created: seconds since 1970, when the upstream gives none.
    """

    def __init__(self, include_usage: bool, *, model: str, id: str, created: int) -> None:  # noqa: A002  # the wire's own word
        self._include_usage = include_usage
        self._head: dict[str, Any] = {"id": _identity("", id), "object": _OBJECT, "created": created, "model": model}
        self._usage: Usage | None = None
        self._usage_sent = False

    def frame(self, frame: Frame) -> bytes:
        """Return the server-sent events that say ``frame``; may be empty."""
        if frame.wire and frame.dialect is Dialect.COMPLETIONS:
            return self._pass(frame)
        return b"".join([self._write(event) for event in frame.events])

    def _pass(self, frame: Frame) -> bytes:
        wire = frame.wire
        if b'"usage"' in wire:
            fields = read_fields(wire)
            bare = not read_list(fields.get("choices", b"[]"))
            if self._include_usage:
                self._usage_sent = self._usage_sent or bare
                self._note(frame.events)
            elif bare:
                return b""
            else:
                fields.pop("usage", None)
                wire = _encode(fields)
        if frame.events and isinstance(frame.events[0], Started):
            self._begin(frame.events[0])
        return b"data: " + wire.replace(b"\n", b"\ndata: ") + b"\n\n"

    def _note(self, events: tuple[Event, ...]) -> None:
        self._usage = next((event.usage for event in events if isinstance(event, Metered)), self._usage)

    def _begin(self, event: Started) -> None:
        self._head["id"] = _identity(event.id, self._head["id"])
        self._head["created"] = event.created or self._head["created"]
        self._head["model"] = event.model or self._head["model"]

    def _write(self, event: Event) -> bytes:
        if isinstance(event, Started):
            self._begin(event)
        elif isinstance(event, TextDelta | RefusalDelta):
            return self._chunk(event.text, event.choice, None) if event.text else b""
        elif isinstance(event, Finished):
            word = finish_word(event.reason, event.raw, called=False)
            return self._chunk("", event.choice, "stop" if word == "tool_calls" else word)
        elif isinstance(event, Metered):
            self._usage = event.usage
        return b""

    def _chunk(self, text: str, index: int, finish: str | None) -> bytes:
        choice = {"text": text, "index": index, "logprobs": None, "finish_reason": finish}
        return b"data: " + _encode({**self._head, "choices": [choice]}) + b"\n\n"

    def end(self) -> bytes:
        """Return what closes a complete stream: the usage chunk if it is owed, and ``[DONE]``."""
        last = b""
        if self._include_usage and not self._usage_sent and self._usage is not None:
            last = b"data: " + _encode({**self._head, "choices": [], "usage": write_usage(self._usage)}) + b"\n\n"
        return last + b"data: [DONE]\n\n"

    def error(self, error: MainstayError) -> bytes:
        """Return the error event that ends a stream which broke off; no ``[DONE]`` follows it."""
        return b"data: " + render(error) + b"\n\n"

    def ping(self) -> bytes:
        """Return a comment, which no client takes for content."""
        return b": ping\n\n"
