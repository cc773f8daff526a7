"""The gateway's one MCP tool, ``ask``: what it takes, and how an answer becomes its result.

One tool with the routes as a parameter: clients show every tool to a model in every turn, and a gateway of forty
models would fill its window with forty tools that differ by a name. Knows one call of the tool; the protocol around it
is ``mcp``'s.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from mainstay.api.gate import Served
from mainstay.core.answer import Whole
from mainstay.core.call import Ask
from mainstay.core.clock import monotonic
from mainstay.core.errors import InvalidRequest, MainstayError, Unauthenticated
from mainstay.core.events import Dialect, Event, Finished, Frame, Metered, RefusalDelta, TextDelta
from mainstay.core.record import Record
from mainstay.core.usage import Usage
from mainstay.line.streaming import StreamWriter
from mainstay.providers.openai import read_ask
from mainstay.tools.protocol import UNREADABLE, write_error, write_notification, write_result

__all__ = ["ASK", "AskWire", "describe_ask"]

#: The tool's name.
ASK: Final = "ask"
#: JSON-RPC's code for what a server defines itself: refused before anything was looked at.
_REFUSED: Final = -32000
#: Seconds between two notifications of progress.
_PACE: Final = 0.1
_OUTPUT: Final = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "description": "The answer."},
        "route": {"type": "string", "description": "The route that was asked."},
        "model": {"type": "string", "description": "The model that answered."},
        "finish_reason": {"type": "string", "description": "Why it ended: 'stop', or 'length' if it was cut off."},
        "usage": {
            "type": "object",
            "properties": {"input_tokens": {"type": "integer"}, "output_tokens": {"type": "integer"}},
        },
    },
    "required": ["text", "route", "model", "finish_reason"],
}


class _Arguments(msgspec.Struct, forbid_unknown_fields=True):
    prompt: str
    route: str = ""
    system: str = ""
    max_tokens: int | None = None
    temperature: float | None = None


def describe_ask(visible: Sequence[Served]) -> dict[str, Any]:
    """Return the tool as ``tools/list`` shows it to a caller who may call ``visible``."""
    names = [served.name for served in visible]
    route: dict[str, Any] = {"type": "string", "description": "Who is asked: a route or model of this gateway."}
    if names:
        route["enum"] = names
    properties = {
        "prompt": {"type": "string", "description": "What is asked, in full: nothing else is remembered."},
        "route": route,
        "system": {"type": "string", "description": "How the model is to behave."},
        "max_tokens": {"type": "integer", "minimum": 1, "description": "The most tokens the answer may have."},
        "temperature": {"type": "number", "minimum": 0, "maximum": 2, "description": "0 for the likeliest words."},
    }
    return {
        "name": ASK,
        "title": "Ask a language model",
        "description": "Asks one of the language models behind this gateway and returns its answer as text.",
        "inputSchema": {
            "type": "object",
            "properties": properties,
            # Where there is one route only, nobody need name it.
            "required": ["prompt"] if len(names) == 1 else ["prompt", "route"],
            "additionalProperties": False,
        },
        "outputSchema": _OUTPUT,
        "annotations": {"title": "Ask a language model", "destructiveHint": False, "openWorldHint": True},
    }


class AskWire:
    """One call of the tool as a caller's wire; see :class:`~mainstay.api.calls.CallerWire`.

    Args:
        number: the id of the JSON-RPC request; None: it could not be read, and any error is a refusal.
        arguments: the tool's, as sent.
        only: the one route there is for this caller, "" when there are more or none.
        progress: the token that notifications of progress carry; None: none are sent.
        complete: fields that every result of this protocol revision has.
    """

    dialect = Dialect.MCP

    def __init__(
        self,
        number: int | str | None,
        arguments: msgspec.Raw | None = None,
        *,
        only: str = "",
        progress: int | str | None = None,
        complete: dict[str, Any] | None = None,
    ) -> None:
        self._number = number
        self._arguments = b"{}" if arguments is None else arguments
        self._only = only
        self._progress = progress
        self._complete = complete or {}

    def read(self, body: bytes) -> Ask:
        """Return what a call of the tool asks; ``body`` was read before.

        Raises:
            InvalidRequest: the arguments are not the tool's.
        """
        try:
            given = msgspec.json.decode(self._arguments, type=_Arguments)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"The arguments are not those of '{ASK}': {error}.", param="arguments") from error
        except UNREADABLE as error:
            raise InvalidRequest("The arguments cannot be read; send a JSON object.", param="arguments") from error
        route = given.route or self._only
        if not route:
            raise InvalidRequest("Name a 'route': tools/list says which there are.", param="route")
        said = [{"role": "system", "content": given.system}] if given.system else []
        asked: dict[str, Any] = {"model": route, "messages": [*said, {"role": "user", "content": given.prompt}]}
        for name in ("max_tokens", "temperature"):
            if (value := getattr(given, name)) is not None:
                asked[name] = value
        if self._progress is not None:
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
        return read_ask(msgspec.json.encode(asked))

    def whole(self, whole: Whole, ask: Ask, record: Record) -> bytes:
        """Return the response with the tool's result."""
        said = _Said()
        said.take(whole.events)
        return self.result(said, record)

    def writer(self, ask: Ask, record: Record) -> StreamWriter:
        """Return what sends progress, and the response at the end."""
        assert self._progress is not None
        return _Writer(self, self._progress, record)

    def error(self, error: MainstayError, record: Record) -> tuple[int, bytes]:
        """Return a result that is an error, which a model can read; a refusal at the door is JSON-RPC's own."""
        if self._number is None or isinstance(error, Unauthenticated):
            return error.status, write_error(self._number, _REFUSED, error.message, {"code": error.code})
        content = [{"type": "text", "text": error.message}]
        about = {"code": error.code, "request_id": record.request_id}
        return 200, write_result(
            self._number, {"content": content, "isError": True, "structuredContent": about, **self._complete}
        )

    def result(self, said: "_Said", record: Record) -> bytes:
        """Return the response that says what was said."""
        usage = said.usage or record.usage
        structured: dict[str, Any] = {
            "text": "".join(said.pieces),
            "route": record.route,
            "model": record.target,
            "finish_reason": said.finish,
        }
        if usage is not None:
            structured["usage"] = {"input_tokens": usage.input, "output_tokens": usage.output}
        content = [{"type": "text", "text": structured["text"]}]
        return write_result(
            self._number,
            {"content": content, "structuredContent": structured, "isError": False, **self._complete},
        )


class _Said:
    """What came of an answer that the tool's result tells of."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.size = 0
        self.finish = "stop"
        self.usage: Usage | None = None

    def take(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, TextDelta | RefusalDelta):
                if event.choice == 0:
                    self.pieces.append(event.text)
                    self.size += len(event.text)
            elif isinstance(event, Finished):
                self.finish = event.reason.value
            elif isinstance(event, Metered):
                self.usage = event.usage


class _Writer:
    """Sends what was written meanwhile as progress, at most ten times a second, and the response at the end."""

    def __init__(self, wire: AskWire, token: int | str, record: Record) -> None:
        self._wire = wire
        self._token = token
        self._record = record
        self._said = _Said()
        self._shown = 0
        self._due = 0.0

    def frame(self, frame: Frame) -> bytes:
        self._said.take(frame.events)
        if len(self._said.pieces) == self._shown or (now := monotonic()) < self._due:
            return b""
        self._due = now + _PACE
        news = "".join(self._said.pieces[self._shown :])
        self._shown = len(self._said.pieces)
        params = {"progressToken": self._token, "progress": self._said.size, "message": news}
        return _event(write_notification("notifications/progress", params))

    def end(self) -> bytes:
        return _event(self._wire.result(self._said, self._record))

    def error(self, error: MainstayError) -> bytes:
        return _event(self._wire.error(error, self._record)[1])

    def ping(self) -> bytes:
        return b": ping\n\n"


def _event(message: bytes) -> bytes:
    return b"event: message\ndata: " + message + b"\n\n"
