"""The response object around an answer: what was asked, said back, with what came of it.

The official SDKs read it whole or inside the first and the last events of a stream.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from mainstay.core.errors import CallerError, ContextOverflow, MainstayError
from mainstay.core.events import Finished, FinishReason
from mainstay.core.usage import Usage
from mainstay.providers.responses.asks import ResponsesAsk
from mainstay.providers.responses.door import NOTHING, present, read_door
from mainstay.providers.responses.prompt_reader import toolbox_of
from mainstay.providers.responses.tools import Toolbox

__all__ = ["Envelope", "ending", "write_usage"]

Fields = dict[str, Any]

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
#: Fields that are said back as they were asked, with what stands for those that were not.
_ECHOED: dict[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "prompt_cache_key": None,
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": None,
    "tool_choice": "auto",
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}
_INCOMPLETE = {
    FinishReason.LENGTH: "max_output_tokens",
    FinishReason.CONTEXT: "max_output_tokens",
    FinishReason.FILTERED: "content_filter",
    # A long turn that may be continued: the nearest word there is.
    FinishReason.PAUSED: "max_messages",
}


def ending(finished: Finished | None) -> tuple[str, str | None]:
    """Return the status of a response that ended so, and why it is incomplete where it is."""
    if finished is None:
        return "completed", None
    reason = _INCOMPLETE.get(finished.reason)
    return ("completed", None) if reason is None else ("incomplete", reason)


def write_usage(usage: Usage) -> Fields:
    """Return ``usage`` as this wire counts."""
    return {
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }


class Envelope:
    """Makes the response objects of one answer; its tools are those that could be offered.

    Args:
        ask: what was asked.
        id: of the response.
        created: seconds since 1970.
        model: what serves.
    """

    def __init__(self, ask: ResponsesAsk, *, id: str, created: int, model: str) -> None:  # noqa: A002  # the wire's own word
        self.id = id
        self.model = model
        self._created = created
        top = _fields.decode(ask.raw)
        door = read_door(ask.raw)
        self.tools: Toolbox = toolbox_of(door, top)
        kept = any(tool.opaque is not None for tool in self.tools.kept(ask.hosted))
        self._echo: Fields = {name: _said(top, name, other) for name, other in _ECHOED.items()}
        self._echo |= {
            "previous_response_id": ask.previous,
            "store": ask.stored,
            "tools": top["tools"] if kept else self.tools.shown,
            "reasoning": _joined(top, "reasoning", {"effort": None, "summary": None}),
            "text": _joined(top, "text", {"format": {"type": "text"}}),
        }
        reasoning = door.reasoning
        #: Whether the caller wants reasoning in the form of a summary.
        self.wants_summary = reasoning is not None and bool(reasoning.summary or reasoning.generate_summary)

    def shape(
        self,
        status: str,
        output: Sequence[object] = (),
        *,
        usage: Usage | None = None,
        reason: str | None = None,
        error: MainstayError | None = None,
        completed: int | None = None,
    ) -> Fields:
        """Return the response as it is now; ``reason`` says why it is incomplete, ``error`` why it failed."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "completed_at": completed,
            "error": None if error is None else _fault(error),
            "incomplete_details": None if reason is None else {"reason": reason},
            "model": self.model,
            "output": output,
            "usage": None if usage is None else write_usage(usage),
            **self._echo,
        }


def _fault(error: MainstayError) -> Fields:
    """Return ``error`` in this wire's few words for why a response failed, our own code beside it."""
    code = "server_error"
    if isinstance(error, ContextOverflow):
        # Not among the words that are published, and what agents look for.
        code = error.code
    elif error.status == 429:
        code = "rate_limit_exceeded"
    elif isinstance(error, CallerError):
        code = "invalid_prompt"
    return {"code": code, "message": error.message, "type": error.code}


def _said(top: dict[str, msgspec.Raw], name: str, other: object) -> object:
    value = top.get(name, NOTHING)
    return value if present(value) else other


def _joined(top: dict[str, msgspec.Raw], name: str, others: Fields) -> Fields:
    value = top.get(name, NOTHING)
    given = _fields.decode(value) if present(value) else {}
    return {**others, **{field: piece for field, piece in given.items() if present(piece)}}
